package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.SwiGlu;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item an element. */
final class SwiGluTornado implements TornadoKernel<SwiGlu> {
  @Override
  public Class<SwiGlu> op() {
    return SwiGlu.class;
  }

  @Override
  public void emit(SwiGlu op, Launch launch) {
    int n = (int) launch.elements(0);
    launch.over(n).task(launch.id(), SwiGluTornado::swiGlu, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.first(), n));
  }

  static void swiGlu(KernelContext context, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int i = context.globalIdx;
    if (i < n) {
      float g = memory.get(at.get(first) + i);
      memory.set(at.get(first + 2) + i, g / (1 + TornadoMath.exp(-g)) * memory.get(at.get(first + 1) + i));
    }
  }
}
