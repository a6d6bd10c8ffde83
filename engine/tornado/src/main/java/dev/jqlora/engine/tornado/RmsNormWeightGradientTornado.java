package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.RmsNormWeightGradient;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** First the scale of each row, a group a row; then a work-item a column. */
final class RmsNormWeightGradientTornado implements TornadoKernel<RmsNormWeightGradient> {
  @Override
  public Class<RmsNormWeightGradient> op() {
    return RmsNormWeightGradient.class;
  }

  private static final int GROUP = GraphWriter.GROUP;

  @Override
  public Support supports(RmsNormWeightGradient op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(4L * inputs.getFirst().shape().dim(0));
  }

  @Override
  public void emit(RmsNormWeightGradient op, Launch launch) {
    int n = launch.type(0).shape().dim(0);
    int width = launch.type(0).shape().last();
    launch.groups(n).task(launch.id(), RmsNormWeightGradientTornado::scales, launch.context(), launch.memory(),
        launch.at(), launch.call(launch.first(), launch.at(launch.scratch()), n, width), op.epsilon());
    launch.over(width).task(launch.id(), RmsNormWeightGradientTornado::columns, launch.context(), launch.memory(),
        launch.at(), launch.call(launch.first(), launch.at(launch.scratch()), n, width));
  }

  static void scales(KernelContext context, FloatArray memory, IntArray at, IntArray call, float epsilon) {
    int first = call.get(0);
    int scratch = call.get(1);
    int n = call.get(2);
    int width = call.get(3);
    float[] sums = context.allocateFloatLocalArray(GROUP);
    int local = context.localIdx;
    int row = context.groupIdx;
    int from = at.get(first) + row * width;
    float sum = 0;
    if (row < n) {
      for (int i = local; i < width; i += GROUP) {
        float value = memory.get(from + i);
        sum += value * value;
      }
    }
    sums[local] = sum;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        sums[local] += sums[local + stride];
      }
      context.localBarrier();
    }
    if (row < n && local == 0) {
      memory.set(at.get(scratch) + row, 1 / TornadoMath.sqrt(sums[0] / width + epsilon));
    }
  }

  static void columns(KernelContext context, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int scratch = call.get(1);
    int n = call.get(2);
    int width = call.get(3);
    int column = context.globalIdx;
    if (column < width) {
      float sum = 0;
      for (int row = 0; row < n; row++) {
        int i = row * width + column;
        sum += memory.get(at.get(first + 1) + i) * memory.get(at.get(first) + i) * memory.get(at.get(scratch) + row);
      }
      memory.set(at.get(first + 2) + column, sum);
    }
  }
}
