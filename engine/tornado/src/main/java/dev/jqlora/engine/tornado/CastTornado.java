package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.DType;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/** A work-item an element. */
final class CastTornado implements TornadoKernel<Cast> {
  @Override
  public Class<Cast> op() {
    return Cast.class;
  }

  @Override
  public void emit(Cast op, Launch launch) {
    int n = (int) launch.elements(0);
    DType from = launch.type(0).dtype();
    DType to = op.dtype();
    if (from == to) {
      launch.copyThrough(0, 0);
    } else if (to == DType.F32) {
      switch (from) {
        case I32 -> launch.over(n).task(launch.id(), CastTornado::ofInts, launch.context(), launch.ints(0),
            launch.memory(), launch.at(), launch.call(launch.first(), n));
        case U8 -> launch.over(n).task(launch.id(), CastTornado::ofBytes, launch.context(), launch.bytes(0),
            launch.memory(), launch.at(), launch.call(launch.first(), n));
        case BF16, F16, F32 ->
          launch.over(n).task(launch.id(), CastTornado::ofHalves, launch.context(), launch.shorts(0), launch.memory(),
              launch.tables(), launch.at(), launch.call(launch.first(), n, from == DType.BF16 ? 1 : 0));
      }
    } else if (from == DType.F32) {
      launch.over(n).task(launch.id(), CastTornado::toHalves, launch.context(), launch.memory(), launch.shorts(1),
          launch.tables(), launch.at(), launch.call(launch.first(), n, to == DType.BF16 ? 1 : 0));
    } else {
      launch.over(n).task(launch.id(), CastTornado::halves, launch.context(), launch.shorts(0), launch.shorts(1),
          launch.tables(), launch.at(), launch.call(launch.first(), n, to == DType.BF16 ? 1 : 0));
    }
  }

  static void ofInts(KernelContext context, IntArray x, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int i = context.globalIdx;
    if (i < n) {
      memory.set(at.get(first + 1) + i, (float) x.get(at.get(first) + i));
    }
  }

  static void ofBytes(KernelContext context, ByteArray x, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int i = context.globalIdx;
    if (i < n) {
      memory.set(at.get(first + 1) + i, (float) (x.get(at.get(first) + i) & 255));
    }
  }

  static void ofHalves(KernelContext context, ShortArray x, FloatArray memory, FloatArray tables, IntArray at,
      IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int isBf16 = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      int bits = x.get(at.get(first) + i);
      memory.set(at.get(first + 1) + i, isBf16 == 1 ? Half.bf16(bits, tables) : Half.f16(bits, tables));
    }
  }

  static void toHalves(KernelContext context, FloatArray memory, ShortArray y, FloatArray tables, IntArray at,
      IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int isBf16 = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      float value = memory.get(at.get(first) + i);
      int bits = isBf16 == 1
          ? Half.encode(value, tables, Tables.BF16, 256, 128)
          : Half.encode(value, tables, Tables.F16, 32, 1024);
      y.set(at.get(first + 1) + i, (short) bits);
    }
  }

  static void halves(KernelContext context, ShortArray x, ShortArray y, FloatArray tables, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int toBf16 = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      int bits = x.get(at.get(first) + i);
      int other = toBf16 == 1
          ? Half.encode(Half.f16(bits, tables), tables, Tables.BF16, 256, 128)
          : Half.encode(Half.bf16(bits, tables), tables, Tables.F16, 32, 1024);
      y.set(at.get(first + 1) + i, (short) other);
    }
  }
}
