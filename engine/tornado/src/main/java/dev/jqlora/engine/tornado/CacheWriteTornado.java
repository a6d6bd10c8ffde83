package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.CacheWrite;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item an element of the new rows. */
final class CacheWriteTornado implements TornadoKernel<CacheWrite> {
  @Override
  public Class<CacheWrite> op() {
    return CacheWrite.class;
  }

  @Override
  public void emit(CacheWrite op, Launch launch) {
    launch.copyThrough(0, 0);
    int n = (int) launch.elements(1);
    launch.over(n).task(launch.id(), CacheWriteTornado::rows, launch.context(), launch.memory(), launch.ints(2),
        launch.at(), launch.call(launch.first(), n, launch.type(1).shape().last()));
  }

  static void rows(KernelContext context, FloatArray memory, IntArray position, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      int to = at.get(first + 3) + position.get(at.get(first + 2)) * width;
      memory.set(to + i, memory.get(at.get(first + 1) + i));
    }
  }
}
