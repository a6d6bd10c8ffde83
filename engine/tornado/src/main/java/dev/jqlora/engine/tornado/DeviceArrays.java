package dev.jqlora.engine.tornado;

import dev.jqlora.engine.tensor.DType;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/** TornadoVM's typed arrays by element type. A kernel sees memory through them alone: there is no way to look at bits. */
final class DeviceArrays {
  private DeviceArrays() {}

  /** Bytes of an array's header. */
  static final int HEADER = 16;

  /** Device memory of an array. */
  static long bytes(DType kind, long elements) {
    return HEADER + elements * kind.bytes();
  }

  /** A zeroed array; BF16 and F16 are 16-bit integers there. */
  static TornadoNativeArray allocate(DType dtype, int elements) {
    return switch (dtype) {
      case F32 -> new FloatArray(elements);
      case I32 -> new IntArray(elements);
      case U8 -> new ByteArray(elements);
      case F16, BF16 -> new ShortArray(elements);
    };
  }

  /** The element types of which each has arrays of its own. */
  static DType kind(DType dtype) {
    return dtype == DType.F16 ? DType.BF16 : dtype;
  }
}
