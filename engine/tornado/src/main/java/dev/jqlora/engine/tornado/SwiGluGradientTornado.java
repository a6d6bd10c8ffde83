package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.SwiGluGradient;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item an element. */
final class SwiGluGradientTornado implements TornadoKernel<SwiGluGradient> {
  @Override
  public Class<SwiGluGradient> op() {
    return SwiGluGradient.class;
  }

  @Override
  public void emit(SwiGluGradient op, Launch launch) {
    int n = (int) launch.elements(0);
    launch.over(n).task(launch.id(), SwiGluGradientTornado::gradient, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.first(), n));
  }

  static void gradient(KernelContext context, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int i = context.globalIdx;
    if (i < n) {
      float g = memory.get(at.get(first) + i);
      float u = memory.get(at.get(first + 1) + i);
      float d = memory.get(at.get(first + 2) + i);
      float s = 1 / (1 + TornadoMath.exp(-g));
      memory.set(at.get(first + 3) + i, d * u * s * (1 + g * (1 - s)));
      memory.set(at.get(first + 4) + i, d * g * s);
    }
  }
}
