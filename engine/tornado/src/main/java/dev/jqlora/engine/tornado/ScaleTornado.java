package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Scale;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item an element. */
final class ScaleTornado implements TornadoKernel<Scale> {
  @Override
  public Class<Scale> op() {
    return Scale.class;
  }

  @Override
  public void emit(Scale op, Launch launch) {
    int n = (int) launch.elements(0);
    launch.over(n).task(launch.id(), ScaleTornado::scale, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.first(), n), op.factor(), op.offset());
  }

  static void scale(KernelContext context, FloatArray memory, IntArray at, IntArray call, float factor, float offset) {
    int first = call.get(0);
    int n = call.get(1);
    int i = context.globalIdx;
    if (i < n) {
      memory.set(at.get(first + 1) + i, factor * memory.get(at.get(first) + i) + offset);
    }
  }
}
