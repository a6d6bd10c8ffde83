package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Embedding;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/** A work-item an element, NaN where an id names no row. */
final class EmbeddingTornado implements TornadoKernel<Embedding> {
  @Override
  public Class<Embedding> op() {
    return Embedding.class;
  }

  @Override
  public void emit(Embedding op, Launch launch) {
    int n = (int) launch.elements(2);
    int width = launch.type(2).shape().last();
    int rows = launch.type(0).shape().dim(0);
    switch (launch.type(0).dtype()) {
      case F32 -> launch.over(n).task(launch.id(), EmbeddingTornado::floats, launch.context(), launch.memory(),
          launch.ints(1), launch.tables(), launch.at(), launch.call(launch.first(), n, width, rows));
      case BF16 -> launch.over(n).task(launch.id(), EmbeddingTornado::bf16, launch.context(), launch.shorts(0),
          launch.ints(1), launch.memory(), launch.tables(), launch.at(), launch.call(launch.first(), n, width, rows));
      case F16 -> launch.over(n).task(launch.id(), EmbeddingTornado::f16, launch.context(), launch.shorts(0),
          launch.ints(1), launch.memory(), launch.tables(), launch.at(), launch.call(launch.first(), n, width, rows));
      case I32, U8 -> throw new IllegalArgumentException(launch.type(0).toString());
    }
  }

  static void floats(KernelContext context, FloatArray memory, IntArray ids, FloatArray tables, IntArray at,
      IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int rows = call.get(3);
    int i = context.globalIdx;
    if (i < n) {
      int row = ids.get(at.get(first + 1) + i / width);
      float value = tables.get(Tables.NAN);
      if (row >= 0 && row < rows) {
        value = memory.get(at.get(first) + row * width + i % width);
      }
      memory.set(at.get(first + 2) + i, value);
    }
  }

  static void bf16(KernelContext context, ShortArray table, IntArray ids, FloatArray memory, FloatArray tables,
      IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int rows = call.get(3);
    int i = context.globalIdx;
    if (i < n) {
      int row = ids.get(at.get(first + 1) + i / width);
      float value = tables.get(Tables.NAN);
      if (row >= 0 && row < rows) {
        value = Half.bf16(table.get(at.get(first) + row * width + i % width), tables);
      }
      memory.set(at.get(first + 2) + i, value);
    }
  }

  static void f16(KernelContext context, ShortArray table, IntArray ids, FloatArray memory, FloatArray tables,
      IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int width = call.get(2);
    int rows = call.get(3);
    int i = context.globalIdx;
    if (i < n) {
      int row = ids.get(at.get(first + 1) + i / width);
      float value = tables.get(Tables.NAN);
      if (row >= 0 && row < rows) {
        value = Half.f16(table.get(at.get(first) + row * width + i % width), tables);
      }
      memory.set(at.get(first + 2) + i, value);
    }
  }
}
