package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Blockwise8bit;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/**
 * Decodes the scales of ranges of NF4 blocks: the numbers of {@link Absmax#read}. A range is decoded at once, since rows far
 * apart would each wait for memory anew.
 */
final class Nf4Scales {
  private final Absmax absmax;
  private final @Nullable CodeTable table;

  Nf4Scales(Absmax absmax) {
    this.absmax = absmax;
    table = absmax instanceof Absmax.Nested nested ? new CodeTable(nested.map().values()) : null;
  }

  /** Memory for ranges of up to {@code blocks} blocks. */
  static final class Range {
    /** The scales, with room for a vector more behind them. */
    final float[] scales;

    Range(int blocks) {
      scales = new float[blocks + LANES];
    }
  }

  /** Decodes the scales of {@code count} blocks. */
  void decode(long firstBlock, int count, Range range) {
    if (table != null && absmax instanceof Absmax.Nested nested) {
      int begin = 0;
      while (begin < count) {
        long group = (firstBlock + begin) / Blockwise8bit.BLOCK;
        int end = (int) Math.min(count, (group + 1) * Blockwise8bit.BLOCK - firstBlock);
        table.look(nested.codes(), firstBlock + begin, end - begin, range.scales, begin);
        scale(range.scales, begin, end, FloatMemory.get(nested.nestedAbsmax(), group), nested.offset());
        begin = end;
      }
    } else {
      absmax.read(firstBlock, range.scales, 0, count);
    }
  }

  /** Changes up to a vector's lanes behind the end too, where nothing stands yet. */
  private static void scale(float[] values, int begin, int end, float factor, float offset) {
    for (int i = begin; i < end; i += LANES) {
      FloatVector.fromArray(FLOATS, values, i).mul(factor).add(offset).intoArray(values, i);
    }
  }
}
