package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * What transposes a square of {@link VectorWidth#LANES} vectors: for each power of two s below LANES, vectors i and i + s
 * exchange the lanes that belong to the other (Eklundh 1972). Vector i becomes {@code v.blend(w.rearrange(BY_s), WITH_s)} and
 * vector i + s {@code w.blend(v.rearrange(BY_s), WITHOUT_s)}. The powers may be taken in any order.
 */
final class LaneExchange {
  static final VectorShuffle<Float> BY_1 = by(1);
  static final VectorShuffle<Float> BY_2 = by(2);
  static final VectorShuffle<Float> BY_4 = by(4);
  static final VectorShuffle<Float> BY_8 = by(8);
  /** Lanes whose number has the bit. */
  static final VectorMask<Float> WITH_1 = with(1);
  static final VectorMask<Float> WITH_2 = with(2);
  static final VectorMask<Float> WITH_4 = with(4);
  static final VectorMask<Float> WITH_8 = with(8);
  static final VectorMask<Float> WITHOUT_1 = with(1).not();
  static final VectorMask<Float> WITHOUT_2 = with(2).not();
  static final VectorMask<Float> WITHOUT_4 = with(4).not();
  static final VectorMask<Float> WITHOUT_8 = with(8).not();

  private LaneExchange() {}

  private static VectorShuffle<Float> by(int bit) {
    return VectorShuffle.fromOp(FLOATS, lane -> (lane ^ bit) % LANES);
  }

  /** Lanes whose number has the bit. */
  static VectorMask<Float> with(int bit) {
    boolean[] lanes = new boolean[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      lanes[lane] = (lane & bit) != 0;
    }
    return VectorMask.fromArray(FLOATS, lanes, 0);
  }
}
