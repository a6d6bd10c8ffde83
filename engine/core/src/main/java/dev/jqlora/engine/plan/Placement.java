package dev.jqlora.engine.plan;

import dev.jqlora.engine.tensor.Alignment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Gives buffers offsets so that none overlap in time and space: one after another, each as low as it goes. The largest first is
 * mostly best; other orders are tried where it leaves gaps.
 */
final class Placement {
  /** A run of bytes needed from one step to another, both included. */
  static final class Buffer {
    final String name;
    final long bytes;
    final int first;
    int last;
    long offset = -1;

    Buffer(String name, long bytes, int first, int last) {
      this.name = name;
      this.bytes = bytes;
      this.first = first;
      this.last = last;
    }

    boolean livesWith(Buffer other) {
      return first <= other.last && other.first <= last;
    }

    boolean liveAt(int step) {
      return first <= step && step <= last;
    }

    long end() {
      return offset + Alignment.roundUp(bytes);
    }
  }

  private Placement() {}

  /** Sets all offsets by the order that takes the fewest bytes; returns these. */
  static long place(List<Buffer> buffers) {
    Comparator<Buffer> largest = Comparator.comparingLong((Buffer buffer) -> buffer.bytes).reversed();
    Comparator<Buffer> longest = Comparator.comparingInt((Buffer buffer) -> buffer.last - buffer.first).reversed();
    int peak = peakStep(buffers, buffers.stream().mapToInt(buffer -> buffer.last).max().orElse(0));
    Comparator<Buffer> atThePeak = Comparator.comparing(buffer -> !buffer.liveAt(peak));
    List<Comparator<Buffer>> orders = List.of(largest, atThePeak.thenComparing(largest),
        longest.thenComparing(largest), atThePeak.thenComparing(longest).thenComparing(largest));
    long least = liveBytes(buffers, peak);
    long best = Long.MAX_VALUE;
    Comparator<Buffer> bestOrder = largest;
    for (Comparator<Buffer> order : orders) {
      long bytes = place(buffers, order);
      if (bytes < best) {
        best = bytes;
        bestOrder = order;
      }
      if (best == least) {
        return best;
      }
    }
    return place(buffers, bestOrder);
  }

  private static long place(List<Buffer> buffers, Comparator<Buffer> by) {
    List<Buffer> order = new ArrayList<>(buffers);
    order.sort(by);
    List<Buffer> placed = new ArrayList<>();
    long size = 0;
    for (Buffer buffer : order) {
      long offset = 0;
      for (Buffer other : placed) {
        if (other.livesWith(buffer)) {
          if (other.offset >= offset + Alignment.roundUp(buffer.bytes)) {
            break;
          }
          offset = Math.max(offset, other.end());
        }
      }
      buffer.offset = offset;
      size = Math.max(size, buffer.end());
      int at = 0;
      while (at < placed.size() && placed.get(at).offset <= offset) {
        at++;
      }
      placed.add(at, buffer);
    }
    return size;
  }

  /** The step at which most bytes are live. */
  static int peakStep(List<Buffer> buffers, int steps) {
    int peak = 0;
    long most = -1;
    for (int step = -1; step <= steps; step++) {
      long live = liveBytes(buffers, step);
      if (live > most) {
        most = live;
        peak = step;
      }
    }
    return peak;
  }

  static long liveBytes(List<Buffer> buffers, int step) {
    long live = 0;
    for (Buffer buffer : buffers) {
      if (buffer.liveAt(step)) {
        live += Alignment.roundUp(buffer.bytes);
      }
    }
    return live;
  }
}
