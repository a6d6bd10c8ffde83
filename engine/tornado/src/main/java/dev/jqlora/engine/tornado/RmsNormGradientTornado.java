package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.RmsNormGradient;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A group a row. */
final class RmsNormGradientTornado implements TornadoKernel<RmsNormGradient> {
  @Override
  public Class<RmsNormGradient> op() {
    return RmsNormGradient.class;
  }

  private static final int GROUP = GraphWriter.GROUP;

  @Override
  public void emit(RmsNormGradient op, Launch launch) {
    int n = launch.type(0).shape().dim(0);
    launch.groups(n).task(launch.id(), RmsNormGradientTornado::gradient, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.first(), n, launch.type(0).shape().last()), op.epsilon());
  }

  static void gradient(KernelContext context, FloatArray memory, IntArray at, IntArray call, float epsilon) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    float[] sums = context.allocateFloatLocalArray(GROUP);
    float[] dots = context.allocateFloatLocalArray(GROUP);
    int local = context.localIdx;
    int row = context.groupIdx;
    int from = at.get(first) + row * width;
    int weight = at.get(first + 1);
    int given = at.get(first + 2) + row * width;
    float sum = 0;
    float dot = 0;
    if (row < n) {
      for (int i = local; i < width; i += GROUP) {
        float value = memory.get(from + i);
        sum += value * value;
        dot += value * memory.get(given + i) * memory.get(weight + i);
      }
    }
    sums[local] = sum;
    dots[local] = dot;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        sums[local] += sums[local + stride];
        dots[local] += dots[local + stride];
      }
      context.localBarrier();
    }
    float scale = 1 / TornadoMath.sqrt(sums[0] / width + epsilon);
    float factor = dots[0] * scale * scale / width;
    if (row < n) {
      int to = at.get(first + 3) + row * width;
      for (int i = local; i < width; i += GROUP) {
        float g = memory.get(given + i) * memory.get(weight + i);
        memory.set(to + i, (g - memory.get(from + i) * factor) * scale);
      }
    }
  }
}
