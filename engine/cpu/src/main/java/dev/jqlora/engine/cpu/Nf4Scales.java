package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.DynamicMap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * Decodes the scales of a range of NF4 blocks: the numbers of {@link Absmax#read}. The range's
 * codes are fetched at once, since rows far apart would each wait for memory anew, and looked up a vector at a time.
 */
final class Nf4Scales {
  private final Absmax absmax;
  private final long firstBlock;
  private final float[] map;
  private final int[] codes;

  /** @param count blocks of the range */
  Nf4Scales(Absmax absmax, long firstBlock, int count) {
    this.absmax = absmax;
    this.firstBlock = firstBlock;
    codes = new int[count + LANES];
    if (absmax instanceof Absmax.Nested nested) {
      map = nested.map().values();
      byte[] bytes = new byte[count];
      MemorySegment.copy(nested.codes(), ValueLayout.JAVA_BYTE, firstBlock, bytes, 0, count);
      for (int i = 0; i < count; i++) {
        codes[i] = bytes[i] & 0xff;
      }
    } else {
      map = new float[DynamicMap.SIZE];
    }
  }

  /** Decodes {@code count} scales from one of the range's blocks on; up to a vector more may be written behind them. */
  void read(long block, int count, float[] target, int offset) {
    // A vector of scales must not have more than one scale of its own: those stand for 256 each.
    if (absmax instanceof Absmax.Nested nested && block % LANES == 0) {
      int first = (int) (block - firstBlock);
      for (int i = 0; i < count; i += LANES) {
        float scale = FloatMemory.get(nested.nestedAbsmax(), (block + i) / Blockwise8bit.BLOCK);
        FloatVector.fromArray(FLOATS, map, 0, codes, first + i).mul(scale).add(nested.offset())
            .intoArray(target, offset + i);
      }
    } else {
      absmax.read(block, target, offset, count);
    }
  }
}
