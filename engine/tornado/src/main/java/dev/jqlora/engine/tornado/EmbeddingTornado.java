package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Embedding;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/** A work-item an element. */
final class EmbeddingTornado implements TornadoKernel<Embedding> {
  @Override
  public Class<Embedding> op() {
    return Embedding.class;
  }

  @Override
  public void emit(Embedding op, Launch launch) {
    int n = (int) launch.elements(2);
    int width = launch.type(2).shape().last();
    switch (launch.type(0).dtype()) {
      case F32 -> launch.over(n).task(launch.id(), EmbeddingTornado::floats, launch.context(), launch.memory(),
          launch.ints(1), launch.at(), launch.call(launch.first(), n, width));
      case BF16 -> launch.over(n).task(launch.id(), EmbeddingTornado::bf16, launch.context(), launch.shorts(0),
          launch.ints(1), launch.memory(), launch.tables(), launch.at(), launch.call(launch.first(), n, width));
      case F16 -> launch.over(n).task(launch.id(), EmbeddingTornado::f16, launch.context(), launch.shorts(0),
          launch.ints(1), launch.memory(), launch.tables(), launch.at(), launch.call(launch.first(), n, width));
      case I32, U8 -> throw new IllegalArgumentException(launch.type(0).toString());
    }
  }

  static void floats(KernelContext context, FloatArray memory, IntArray ids, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      int row = ids.get(at.get(first + 1) + i / width);
      memory.set(at.get(first + 2) + i, memory.get(at.get(first) + row * width + i % width));
    }
  }

  static void bf16(KernelContext context, ShortArray table, IntArray ids, FloatArray memory, FloatArray tables,
      IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      int row = ids.get(at.get(first + 1) + i / width);
      int bits = table.get(at.get(first) + row * width + i % width);
      memory.set(at.get(first + 2) + i, Half.bf16(bits, tables));
    }
  }

  static void f16(KernelContext context, ShortArray table, IntArray ids, FloatArray memory, FloatArray tables,
      IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      int row = ids.get(at.get(first + 1) + i / width);
      int bits = table.get(at.get(first) + row * width + i % width);
      memory.set(at.get(first + 2) + i, Half.f16(bits, tables));
    }
  }
}
