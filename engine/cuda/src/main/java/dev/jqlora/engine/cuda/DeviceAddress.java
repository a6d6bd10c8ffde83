package dev.jqlora.engine.cuda;

import jcuda.driver.CUdeviceptr;

/** A device pointer whose number can be read; everything else passes addresses as numbers. */
final class DeviceAddress extends CUdeviceptr {
  long value() {
    return getNativePointer() + getByteOffset();
  }

  /** The pointer of a number. */
  static CUdeviceptr of(long address) {
    return new CUdeviceptr().withByteOffset(address);
  }
}
