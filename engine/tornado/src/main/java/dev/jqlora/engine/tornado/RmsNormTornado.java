package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.RmsNorm;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A group a row. */
final class RmsNormTornado implements TornadoKernel<RmsNorm> {
  @Override
  public Class<RmsNorm> op() {
    return RmsNorm.class;
  }

  private static final int GROUP = GraphWriter.GROUP;

  @Override
  public void emit(RmsNorm op, Launch launch) {
    int width = launch.type(0).shape().last();
    launch.groups(launch.type(0).shape().dim(0)).task(launch.id(), RmsNormTornado::rmsNorm, launch.context(),
        launch.memory(), launch.at(), launch.call(launch.first(), launch.type(0).shape().dim(0), width), op.epsilon());
  }

  static void rmsNorm(KernelContext context, FloatArray memory, IntArray at, IntArray call, float epsilon) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
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
    float scale = 1 / TornadoMath.sqrt(sums[0] / width + epsilon);
    if (row < n) {
      int to = at.get(first + 2) + row * width;
      int weight = at.get(first + 1);
      for (int i = local; i < width; i += GROUP) {
        memory.set(to + i, memory.get(from + i) * scale * memory.get(weight + i));
      }
    }
  }
}
