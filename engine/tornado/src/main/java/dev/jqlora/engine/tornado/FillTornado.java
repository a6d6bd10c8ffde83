package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.tensor.BFloat16;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/** A work-item an element. */
final class FillTornado implements TornadoKernel<Fill> {
  @Override
  public Class<Fill> op() {
    return Fill.class;
  }

  @Override
  public void emit(Fill op, Launch launch) {
    int n = (int) launch.elements(0);
    switch (op.type().dtype()) {
      case F32 -> launch.over(n).task(launch.id(), FillTornado::fillFloats, launch.context(), launch.memory(),
          launch.at(), launch.call(launch.first(), n), (float) op.value());
      case I32 -> launch.over(n).task(launch.id(), FillTornado::fillInts, launch.context(), launch.ints(0), launch.at(),
          launch.call(launch.first(), n, (int) op.value()));
      case U8 -> launch.over(n).task(launch.id(), FillTornado::fillBytes, launch.context(), launch.bytes(0),
          launch.at(), launch.call(launch.first(), n, (int) op.value()));
      case F16 -> fillHalves(launch, n, Float.floatToFloat16((float) op.value()));
      case BF16 -> fillHalves(launch, n, BFloat16.fromFloat((float) op.value()));
    }
  }

  private static void fillHalves(Launch launch, int n, short bits) {
    launch.over(n).task(launch.id(), FillTornado::fillShorts, launch.context(), launch.shorts(0), launch.at(),
        launch.call(launch.first(), n, (int) bits));
  }

  static void fillFloats(KernelContext context, FloatArray memory, IntArray at, IntArray call, float value) {
    int first = call.get(0);
    int n = call.get(1);
    int i = context.globalIdx;
    if (i < n) {
      memory.set(at.get(first) + i, value);
    }
  }

  static void fillInts(KernelContext context, IntArray y, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int value = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      y.set(at.get(first) + i, value);
    }
  }

  static void fillBytes(KernelContext context, ByteArray y, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int value = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      y.set(at.get(first) + i, (byte) value);
    }
  }

  static void fillShorts(KernelContext context, ShortArray y, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int value = call.get(2);
    int i = context.globalIdx;
    if (i < n) {
      y.set(at.get(first) + i, (short) value);
    }
  }
}
