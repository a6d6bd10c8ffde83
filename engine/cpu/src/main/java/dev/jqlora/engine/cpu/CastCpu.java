package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Converts element by element; between F32 and BF16, as carried values are kept, by vectors. */
final class CastCpu implements CpuKernel<Cast> {
  /** As many shorts as a vector has floats. */
  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_PREFERRED
      .withShape(VectorShape.forBitSize(LANES * Short.SIZE));

  @Override
  public Class<Cast> op() {
    return Cast.class;
  }

  @Override
  public void run(Cast op, Call call) {
    Tensor from = call.input(0);
    Tensor to = call.output(0);
    call.workers().ranges(to.type().elements(), (first, end) -> {
      long vectorEnd = first + (end - first) / LANES * LANES;
      if (from.type().dtype() == DType.F32 && to.type().dtype() == DType.BF16) {
        for (long i = first; i < vectorEnd; i += LANES) {
          narrow(load(from.data(), i), to.data(), i);
        }
      } else if (from.type().dtype() == DType.BF16 && to.type().dtype() == DType.F32) {
        for (long i = first; i < vectorEnd; i += LANES) {
          store(widen(from.data(), i), to.data(), i);
        }
      } else {
        vectorEnd = first;
      }
      for (long i = vectorEnd; i < end; i++) {
        to.set(i, from.get(i));
      }
    });
  }

  private static FloatVector widen(MemorySegment memory, long index) {
    IntVector bits = (IntVector) ShortVector.fromMemorySegment(SHORTS, memory, index * Short.BYTES, LITTLE_ENDIAN)
        .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
    return bits.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats();
  }

  /** {@link BFloat16#fromFloat} of a vector. */
  private static void narrow(FloatVector values, MemorySegment memory, long index) {
    IntVector bits = values.reinterpretAsInts();
    IntVector upper = bits.lanewise(VectorOperators.LSHR, Short.SIZE);
    IntVector rounded = bits.add(0x7fff).add(upper.and(1)).lanewise(VectorOperators.LSHR, Short.SIZE);
    IntVector result = rounded.blend(upper.or(0x40), values.test(VectorOperators.IS_NAN).cast(INTS));
    ((ShortVector) result.convertShape(VectorOperators.I2S, SHORTS, 0)).intoMemorySegment(memory, index * Short.BYTES,
        LITTLE_ENDIAN);
  }
}
