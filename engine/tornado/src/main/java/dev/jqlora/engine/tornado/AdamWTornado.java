package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.AdamW;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item an element. */
final class AdamWTornado implements TornadoKernel<AdamW> {
  @Override
  public Class<AdamW> op() {
    return AdamW.class;
  }

  @Override
  public void emit(AdamW op, Launch launch) {
    int n = (int) launch.elements(0);
    launch.copyThrough(0, 0);
    launch.copyThrough(2, 1);
    launch.copyThrough(3, 2);
    launch.over(n).task(launch.id(), AdamWTornado::adamW, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.first(), n), (float) op.beta1(), (float) (1 - op.beta1()), (float) op.beta2(),
        (float) (1 - op.beta2()), (float) op.epsilon());
  }

  static void adamW(KernelContext context, FloatArray memory, IntArray at, IntArray call, float beta1, float gradient1,
      float beta2, float gradient2, float epsilon) {
    int first = call.get(0);
    int n = call.get(1);
    int i = context.globalIdx;
    if (i < n) {
      int rate = at.get(first + 4);
      int p = at.get(first + 6) + i;
      int m1 = at.get(first + 7) + i;
      int v1 = at.get(first + 8) + i;
      float g = memory.get(at.get(first + 1) + i) * memory.get(at.get(first + 5));
      float moment = beta1 * memory.get(m1) + gradient1 * g;
      float square = beta2 * memory.get(v1) + gradient2 * g * g;
      float update = moment / (TornadoMath.sqrt(square) / memory.get(rate + 1) + epsilon);
      memory.set(m1, moment);
      memory.set(v1, square);
      memory.set(p, memory.get(p) * memory.get(rate + 2) + memory.get(rate) * update);
    }
  }
}
