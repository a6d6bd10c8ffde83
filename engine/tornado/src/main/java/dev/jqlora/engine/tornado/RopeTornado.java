package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Rope;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item a pair of elements; sine and cosine come from tables that the host made. */
final class RopeTornado implements TornadoKernel<Rope> {
  @Override
  public Class<Rope> op() {
    return Rope.class;
  }

  @Override
  public void emit(Rope op, Launch launch) {
    int n = launch.type(0).shape().dim(0);
    int width = launch.type(0).shape().last();
    launch.over((long) n * width / 2).task(launch.id(), RopeTornado::rope, launch.context(), launch.memory(),
        launch.ints(1), launch.at(),
        launch.call(launch.first(), n * (width / 2), width, op.headDim() / 2, op.inverse() ? -1 : 1));
  }

  static void rope(KernelContext context, FloatArray memory, IntArray positions, IntArray at, IntArray call) {
    int first = call.get(0);
    int pairs = call.get(1);
    int width = call.get(2);
    int halfWidth = call.get(3);
    int direction = call.get(4);
    int i = context.globalIdx;
    if (i < pairs) {
      int row = i / (width / 2);
      int pair = i % (width / 2);
      int head = pair / halfWidth;
      int low = row * width + head * 2 * halfWidth + pair % halfWidth;
      int turn = positions.get(at.get(first + 1) + row) * halfWidth + pair % halfWidth;
      float c = memory.get(at.get(first + 2) + turn);
      float s = memory.get(at.get(first + 3) + turn) * direction;
      float x1 = memory.get(at.get(first) + low);
      float x2 = memory.get(at.get(first) + low + halfWidth);
      memory.set(at.get(first + 4) + low, x1 * c - x2 * s);
      memory.set(at.get(first + 4) + low + halfWidth, x2 * c + x1 * s);
    }
  }
}
