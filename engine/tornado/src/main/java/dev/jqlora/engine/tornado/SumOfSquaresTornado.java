package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Each of a fixed number of groups sums its part, then one group the parts. */
final class SumOfSquaresTornado implements TornadoKernel<SumOfSquares> {
  @Override
  public Class<SumOfSquares> op() {
    return SumOfSquares.class;
  }

  private static final int GROUP = GraphWriter.GROUP;
  private static final int PARTS = 256;

  @Override
  public Support supports(SumOfSquares op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(4L * PARTS);
  }

  @Override
  public void emit(SumOfSquares op, Launch launch) {
    int scratch = launch.scratch();
    launch.groups(PARTS).task(launch.id(), SumOfSquaresTornado::parts, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.first(), launch.at(scratch), (int) launch.elements(0)));
    launch.groups(1).task(launch.id(), SumOfSquaresTornado::total, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.at(scratch), launch.at(1), PARTS));
  }

  static void parts(KernelContext context, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int scratch = call.get(1);
    int n = call.get(2);
    float[] sums = context.allocateFloatLocalArray(GROUP);
    int local = context.localIdx;
    int from = at.get(first);
    float sum = 0;
    for (int i = context.globalIdx; i < n; i += PARTS * GROUP) {
      float value = memory.get(from + i);
      sum += value * value;
    }
    sums[local] = sum;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        sums[local] += sums[local + stride];
      }
      context.localBarrier();
    }
    if (local == 0) {
      memory.set(at.get(scratch) + context.groupIdx, sums[0]);
    }
  }

  /** {@code y = Σ x} over n elements, by one group. */
  static void total(KernelContext context, FloatArray memory, IntArray at, IntArray call) {
    int from = call.get(0);
    int to = call.get(1);
    int n = call.get(2);
    float[] sums = context.allocateFloatLocalArray(GROUP);
    int local = context.localIdx;
    float sum = 0;
    for (int i = local; i < n; i += GROUP) {
      sum += memory.get(at.get(from) + i);
    }
    sums[local] = sum;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        sums[local] += sums[local + stride];
      }
      context.localBarrier();
    }
    if (local == 0) {
      memory.set(at.get(to), sums[0]);
    }
  }
}
