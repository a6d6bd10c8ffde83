package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.BFloat16;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Between F32 and BF16, as {@link BFloat16} does it for one number, a vector of floats at a time. */
final class CastKernel {
  private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  /** As many shorts as there are floats in a vector. */
  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_PREFERRED
      .withShape(VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

  private CastKernel() {}

  /** Every BF16 number is the upper half of the same number in F32. */
  static void toFloat(Workers workers, MemorySegment x, long count, MemorySegment y) {
    workers.ranges(count, (first, end) -> {
      long i = first;
      for (; i + LANES <= end; i += LANES) {
        ShortVector halves = ShortVector.fromMemorySegment(SHORTS, x, i * Short.BYTES, ByteOrder.LITTLE_ENDIAN);
        IntVector bits = (IntVector) halves.convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
        FloatMemory.store(bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), y, i);
      }
      for (; i < end; i++) {
        FloatMemory.set(y, i, BFloat16.toFloat(x.get(I16, i * Short.BYTES)));
      }
    });
  }

  /** Rounds to nearest, ties to even; NaN stays NaN. */
  static void toBFloat16(Workers workers, MemorySegment x, long count, MemorySegment y) {
    workers.ranges(count, (first, end) -> {
      long i = first;
      for (; i + LANES <= end; i += LANES) {
        var values = FloatMemory.load(x, i);
        IntVector bits = values.reinterpretAsInts();
        IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
        IntVector rounded = bits.add(odd).add(0x7fff).blend(bits.or(0x400000),
            values.test(VectorOperators.IS_NAN).cast(INTS));
        ((ShortVector) rounded.lanewise(VectorOperators.LSHR, 16).convertShape(VectorOperators.I2S, SHORTS, 0))
            .intoMemorySegment(y, i * Short.BYTES, ByteOrder.LITTLE_ENDIAN);
      }
      for (; i < end; i++) {
        y.set(I16, i * Short.BYTES, BFloat16.fromFloat(FloatMemory.get(x, i)));
      }
    });
  }
}
