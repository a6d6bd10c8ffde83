package dev.jqlora.engine.cuda;

/** Device memory of a session, counted as the driver gives it and takes it back. */
final class DeviceCount {
  private long allocatedBytes;
  private long peakBytes;

  /** The most bytes that were allocated at once. */
  long peakBytes() {
    return peakBytes;
  }

  /** @param what a few words for where it cannot be had */
  long allocate(long bytes, String what) {
    long address = Driver.allocate(bytes, what);
    hold(bytes);
    return address;
  }

  void free(long address, long bytes) {
    Driver.free(address);
    letGo(bytes);
  }

  /** Counts memory that the driver gives without being asked, up to so many bytes. */
  void hold(long bytes) {
    allocatedBytes += bytes;
    peakBytes = Math.max(peakBytes, allocatedBytes);
  }

  void letGo(long bytes) {
    allocatedBytes -= bytes;
  }
}
