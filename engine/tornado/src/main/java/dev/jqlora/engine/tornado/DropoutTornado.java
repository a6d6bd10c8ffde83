package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Dropout;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item an element; the hash is {@link Dropout}'s, with masked shifts. */
final class DropoutTornado implements TornadoKernel<Dropout> {
  @Override
  public Class<Dropout> op() {
    return Dropout.class;
  }

  @Override
  public void emit(Dropout op, Launch launch) {
    int n = (int) launch.elements(0);
    launch.over(n).task(launch.id(), DropoutTornado::drop, launch.context(), launch.memory(), launch.ints(1),
        launch.ints(2), launch.at(), launch.call(launch.first(), n, op.site()), op.p());
  }

  static void drop(KernelContext context, FloatArray memory, IntArray seed, IntArray index, IntArray at, IntArray call,
      float p) {
    int first = call.get(0);
    int n = call.get(1);
    int site = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      int stream = mix(site + mix(index.get(at.get(first + 2)) + mix(seed.get(at.get(first + 1)))));
      float number = (mix(stream + i) & 0xffffff) * 0x1p-24f;
      float value = memory.get(at.get(first) + i);
      memory.set(at.get(first + 3) + i, number >= p ? value / (1 - p) : 0f);
    }
  }

  private static int mix(int x) {
    int h = x + 0x9e3779b9;
    h = (h ^ (h >> 16 & 0xffff)) * 0x7feb352d;
    h = (h ^ (h >> 15 & 0x1ffff)) * 0x846ca68b;
    return h ^ (h >> 16 & 0xffff);
  }
}
