package dev.jqlora.engine.cuda;

import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.tensor.Tensor;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToLongFunction;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;
import org.jspecify.annotations.Nullable;

/**
 * Page-locked memory that feeds go through to the device: two pieces in turn, so that the host fills one while the device has
 * yet to read the other. A piece grows to the largest feeds that went through it.
 */
final class FeedRoom implements AutoCloseable {
  /** Memory, and the mark that the stream passes when it has read what is in it. */
  private static final class Piece {
    private Driver.@Nullable Pinned memory;
    private @Nullable CUevent read;

    /** Room that nothing reads any more. */
    Driver.Pinned room(long bytes) {
      if (read != null) {
        Driver.await(read);
      }
      Driver.Pinned there = memory;
      if (there == null || there.segment().byteSize() < bytes) {
        freeMemory();
        there = Driver.Pinned.allocate(bytes);
        memory = there;
      }
      return there;
    }

    void mark(CUstream stream) {
      if (read == null) {
        read = Driver.event();
      }
      Driver.record(read, stream);
    }

    private void freeMemory() {
      if (memory != null) {
        memory.free();
        memory = null;
      }
    }

    void free() {
      freeMemory();
      if (read != null) {
        Driver.destroy(read);
        read = null;
      }
    }
  }

  private final CUstream stream;
  private Piece next = new Piece();
  private Piece last = new Piece();

  FeedRoom(CUstream stream) {
    this.stream = stream;
  }

  /**
   * Reads a run's feeds and puts their copies into the stream.
   *
   * @param places where each goes, by its name
   * @param address of a place on the device
   */
  void send(Map<String, Operand> places, Map<String, Tensor> feeds, ToLongFunction<Operand> address) {
    if (places.isEmpty()) {
      return;
    }
    Mail mail = new Mail(places);
    Piece piece = next;
    next = last;
    last = piece;
    Driver.Pinned room = piece.room(mail.bytes());
    places.forEach((name, place) -> {
      mail.slice(name, room).copyFrom(Objects.requireNonNull(feeds.get(name), name).data());
      Driver.copyIn(address.applyAsLong(place), room, mail.offset(name), place.type().bytes(), stream);
    });
    piece.mark(stream);
  }

  @Override
  public void close() {
    next.free();
    last.free();
  }
}
