package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.EmbeddingGradient;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Zeros first; then a work-item a column goes through the ids in their order, but for those that name no row. */
final class EmbeddingGradientTornado implements TornadoKernel<EmbeddingGradient> {
  @Override
  public Class<EmbeddingGradient> op() {
    return EmbeddingGradient.class;
  }

  @Override
  public void emit(EmbeddingGradient op, Launch launch) {
    int width = launch.type(2).shape().last();
    int n = (int) launch.elements(2);
    launch.over(n).task(launch.id(), FillTornado::fillFloats, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.at(2), n), 0f);
    launch.over(width).task(launch.id(), EmbeddingGradientTornado::scatter, launch.context(), launch.ints(0),
        launch.memory(), launch.at(), launch.call(launch.first(), (int) launch.elements(0), width, op.rows()));
  }

  static void scatter(KernelContext context, IntArray ids, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int rows = call.get(3);
    int column = context.globalIdx;
    if (column < width) {
      for (int i = 0; i < n; i++) {
        int row = ids.get(at.get(first) + i);
        if (row >= 0 && row < rows) {
          int to = at.get(first + 2) + row * width + column;
          memory.set(to, memory.get(to) + memory.get(at.get(first + 1) + i * width + column));
        }
      }
    }
  }
}
