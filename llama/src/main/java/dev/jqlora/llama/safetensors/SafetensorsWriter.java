package dev.jqlora.llama.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.jqlora.llama.files.AtomicFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a safetensors file in a stream: all tensors are declared first, which fixes the header, then their data is
 * appended piece by piece in any order. Order, padding and spelling are those of the reference library, so the same
 * tensors give the same bytes. The file appears with {@link #commit}, whole, or not at all. Not thread-safe.
 */
public final class SafetensorsWriter implements AutoCloseable {
  /** What PyTorch writers put; Hugging Face loaders want it. */
  public static final Map<String, String> PYTORCH_METADATA = Map.of("format", "pt");

  private static final Comparator<TensorInfo> FILE_ORDER = Comparator.comparing(TensorInfo::type).reversed()
      .thenComparing(TensorInfo::name, SafetensorsWriter::compareBytes);
  private static final int HEADER_ALIGNMENT = 8;
  private static final long PIECE_BYTES = 64L << 20;

  /** Where a tensor's next byte goes, and where its data ends (positions in the file). */
  private static final class Slot {
    private final long end;
    private long next;

    Slot(long begin, long end) {
      this.next = begin;
      this.end = end;
    }
  }

  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private final AtomicFile file;

  private SafetensorsWriter(AtomicFile file, List<TensorInfo> ordered, long dataStart) {
    this.file = file;
    long position = dataStart;
    for (TensorInfo tensor : ordered) {
      slots.put(tensor.name(), new Slot(position, position += tensor.byteSize()));
    }
  }

  /** Starts a file with the metadata {@code format=pt}. */
  public static SafetensorsWriter create(Path path, List<TensorInfo> tensors) {
    return create(path, tensors, PYTORCH_METADATA);
  }

  /**
   * Starts a file.
   *
   * @param tensors what will be written, in any order, each name once
   */
  public static SafetensorsWriter create(Path path, List<TensorInfo> tensors, Map<String, String> metadata) {
    if (tensors.stream().map(TensorInfo::name).distinct().count() != tensors.size()) {
      throw new IllegalArgumentException("a tensor name is declared twice for " + path);
    }
    List<TensorInfo> ordered = tensors.stream().sorted(FILE_ORDER).toList();
    byte[] json = header(ordered, metadata);
    int padded = Math.ceilDiv(json.length, HEADER_ALIGNMENT) * HEADER_ALIGNMENT;
    ByteBuffer start = ByteBuffer.allocate(SafetensorsHeader.LENGTH_BYTES + padded).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(padded).put(json);
    while (start.hasRemaining()) {
      start.put((byte) ' ');
    }
    AtomicFile file = AtomicFile.create(path);
    try {
      file.writeAt(0, start.flip());
      return new SafetensorsWriter(file, ordered, start.limit());
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  private static byte[] header(List<TensorInfo> ordered, Map<String, String> metadata) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart(SafetensorsHeader.METADATA_KEY);
        for (Map.Entry<String, String> note : metadata.entrySet().stream().sorted(Map.Entry.comparingByKey())
            .toList()) {
          json.writeStringField(note.getKey(), note.getValue());
        }
        json.writeEndObject();
      }
      long begin = 0;
      for (TensorInfo tensor : ordered) {
        long end = Math.addExact(begin, tensor.byteSize());
        json.writeObjectFieldStart(tensor.name());
        json.writeStringField("dtype", tensor.type().name());
        writeLongs(json, "shape", tensor.dims());
        writeLongs(json, "data_offsets", List.of(begin, end));
        json.writeEndObject();
        begin = end;
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static void writeLongs(JsonGenerator json, String key, List<Long> values) throws IOException {
    json.writeArrayFieldStart(key);
    for (long value : values) {
      json.writeNumber(value);
    }
    json.writeEndArray();
  }

  /** Adds the next bytes of a declared tensor; one call may hold all of it. */
  public void append(String name, MemorySegment bytes) {
    Slot slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("tensor " + name + " was not declared");
    }
    if (bytes.byteSize() > slot.end - slot.next) {
      throw new IllegalArgumentException("tensor %s has room for %d more bytes, not %d".formatted(name, slot.end
          - slot.next, bytes.byteSize()));
    }
    for (long from = 0; from < bytes.byteSize(); from += PIECE_BYTES) {
      MemorySegment piece = bytes.asSlice(from, Math.min(PIECE_BYTES, bytes.byteSize() - from));
      file.writeAt(slot.next, buffer(piece));
      slot.next += piece.byteSize();
    }
  }

  /** The bytes as a buffer; a segment over an array of other than bytes has no buffer of its own and is copied. */
  private static ByteBuffer buffer(MemorySegment piece) {
    boolean viewable = piece.isNative() || piece.heapBase().orElse(null) instanceof byte[];
    return viewable ? piece.asByteBuffer() : ByteBuffer.wrap(piece.toArray(ValueLayout.JAVA_BYTE));
  }

  /** Puts the file in its place; every declared tensor must be complete. */
  public void commit() {
    slots.forEach((name, slot) -> {
      if (slot.next != slot.end) {
        throw new IllegalStateException("tensor %s lacks %d bytes".formatted(name, slot.end - slot.next));
      }
    });
    file.commit();
  }

  @Override
  public void close() {
    file.close();
  }

  private static int compareBytes(String one, String other) {
    return Arrays.compareUnsigned(one.getBytes(StandardCharsets.UTF_8), other.getBytes(StandardCharsets.UTF_8));
  }
}
