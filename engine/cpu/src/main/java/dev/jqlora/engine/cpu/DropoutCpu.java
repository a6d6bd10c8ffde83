package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.op.Dropout;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** The op's own hash, for a vector of elements at a time. */
final class DropoutCpu implements CpuKernel<Dropout> {
  private static final IntVector IOTA = IntVector.zero(INTS).addIndex(1);

  @Override
  public Class<Dropout> op() {
    return Dropout.class;
  }

  @Override
  public void run(Dropout op, Call call) {
    int stream = op.stream(FloatMemory.getInt(call.in(1), 0), FloatMemory.getInt(call.in(2), 0));
    float factor = 1 / (1 - op.p());
    int least = op.leastKept();
    call.workers().ranges(call.output(0).type().elements(), (first, end) -> {
      for (long i = first; i < end; i += LANES) {
        VectorMask<Float> present = FloatMemory.tail(end - i);
        IntVector hash = hash(IOTA.add(stream + (int) i)).and(Dropout.HASH_MASK);
        VectorMask<Float> kept = hash.compare(VectorOperators.GE, least).cast(FLOATS);
        store(load(call.in(0), i, present).mul(factor).blend(0, kept.not()), call.out(0), i, present);
      }
    });
  }

  /** {@link Dropout#mix} of every lane. */
  private static IntVector hash(IntVector x) {
    IntVector h = x.add(Dropout.INCREMENT);
    h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 16)).mul(Dropout.FIRST_FACTOR);
    h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 15)).mul(Dropout.SECOND_FACTOR);
    return h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 16));
  }
}
