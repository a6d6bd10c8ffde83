package dev.jqlora.engine.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmemAttach_flags;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/**
 * The calls of the CUDA driver that the backend makes. Each throws {@link dev.jqlora.engine.error.JqloraException} where the
 * driver answers with an error. Device addresses are plain numbers.
 */
final class Driver {
  private Driver() {}

  static {
    JCudaDriver.setExceptionsEnabled(false);
  }

  static void check(int code, String doing) {
    if (code != 0) {
      throw DriverCode.failure(code, doing);
    }
  }

  static int initialize() {
    return JCudaDriver.cuInit(0);
  }

  /** The newest CUDA that the driver serves, such as 13000. */
  static int version() {
    int[] version = new int[1];
    check(JCudaDriver.cuDriverGetVersion(version), "asking for the driver's version");
    return version[0];
  }

  static CUdevice device(int ordinal) {
    CUdevice device = new CUdevice();
    check(JCudaDriver.cuDeviceGet(device, ordinal), "looking for GPU " + ordinal);
    return device;
  }

  static String name(CUdevice device) {
    byte[] name = new byte[256];
    check(JCudaDriver.cuDeviceGetName(name, name.length, device), "asking for the GPU's name");
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, java.nio.charset.StandardCharsets.UTF_8);
  }

  static long totalBytes(CUdevice device) {
    long[] bytes = new long[1];
    check(JCudaDriver.cuDeviceTotalMem(bytes, device), "asking for the GPU's memory");
    return bytes[0];
  }

  static int attribute(CUdevice device, int attribute) {
    int[] value = new int[1];
    check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "asking for attribute " + attribute);
    return value[0];
  }

  static CUcontext retainContext(CUdevice device) {
    CUcontext context = new CUcontext();
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "opening the GPU");
    return context;
  }

  static void releaseContext(CUdevice device) {
    check(JCudaDriver.cuDevicePrimaryCtxRelease(device), "closing the GPU");
  }

  /** Makes the context that of the calling thread, as all calls below need it. */
  static void enter(CUcontext context) {
    check(JCudaDriver.cuCtxSetCurrent(context), "turning to the GPU");
  }

  static CUstream stream() {
    CUstream stream = new CUstream();
    check(JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING), "making a stream");
    return stream;
  }

  static void destroy(CUstream stream) {
    check(JCudaDriver.cuStreamDestroy(stream), "closing a stream");
  }

  static void synchronize(CUstream stream, String doing) {
    check(JCudaDriver.cuStreamSynchronize(stream), doing);
  }

  /** Whether the context is beyond use, once the stream's work is done: the driver then answers each call with what ended it. */
  static boolean isLost(CUstream stream) {
    return JCudaDriver.cuStreamSynchronize(stream) != 0;
  }

  static long allocate(long bytes, String what) {
    DeviceAddress address = new DeviceAddress();
    int code = JCudaDriver.cuMemAlloc(address, Math.max(1, bytes));
    if (code == DriverCode.OUT_OF_MEMORY) {
      throw DriverCode.failure(code, "%s, %,d bytes where %,d are free".formatted(what, bytes, freeBytes()));
    }
    check(code, "%s, %,d bytes".formatted(what, bytes));
    return address.value();
  }

  static void free(long address) {
    check(JCudaDriver.cuMemFree(DeviceAddress.of(address)), "giving memory back");
  }

  /** Memory of the driver's that the host sees. */
  sealed interface HostMemory {
    MemorySegment segment();

    void free();
  }

  /** Host memory that the device can copy from and to by itself. */
  record Pinned(long address, MemorySegment segment) implements HostMemory {
    static Pinned allocate(long bytes) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
        check(PageLocking.allocate(pointer, Math.max(1, bytes)), "page-locking %,d bytes".formatted(bytes));
        MemorySegment memory = pointer.get(ValueLayout.ADDRESS, 0);
        return new Pinned(memory.address(), memory.reinterpret(bytes));
      }
    }

    Pointer at(long offset) {
      return new Pointer().withByteOffset(address + offset);
    }

    @Override
    public void free() {
      check(JCudaDriver.cuMemFreeHost(at(0)), "giving page-locked memory back");
    }
  }

  /** Memory that the driver moves between host and device; for the host to touch only while no kernel uses the same bytes. */
  record Managed(long address, MemorySegment segment) implements HostMemory {
    static Managed allocate(long bytes, String what) {
      DeviceAddress address = new DeviceAddress();
      check(JCudaDriver.cuMemAllocManaged(address, Math.max(1, bytes), CUmemAttach_flags.CU_MEM_ATTACH_GLOBAL),
          "%s, %,d bytes of managed memory".formatted(what, bytes));
      return new Managed(address.value(), MemorySegment.ofAddress(address.value()).reinterpret(bytes));
    }

    @Override
    public void free() {
      Driver.free(address);
    }
  }

  /** @param device where the bytes go; or {@code JCudaDriver.CU_DEVICE_CPU} */
  static void prefetch(long address, long bytes, CUdevice device, CUstream stream) {
    check(JCudaDriver.cuMemPrefetchAsync(DeviceAddress.of(address), bytes, device, stream), "prefetching pages");
  }

  /** Bytes of device memory that nobody uses, on the calling thread's GPU. */
  static long freeBytes() {
    long[] free = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, new long[1]), "asking for the GPU's free memory");
    return free[0];
  }

  static void copyIn(long to, Pinned from, long offset, long bytes, CUstream stream) {
    if (bytes > 0) {
      check(JCudaDriver.cuMemcpyHtoDAsync(DeviceAddress.of(to), from.at(offset), bytes, stream), "copying to the GPU");
    }
  }

  static void copyOut(Pinned to, long offset, long from, long bytes, CUstream stream) {
    if (bytes > 0) {
      check(JCudaDriver.cuMemcpyDtoHAsync(to.at(offset), DeviceAddress.of(from), bytes, stream),
          "copying from the GPU");
    }
  }

  static void copy(long to, long from, long bytes, CUstream stream) {
    if (bytes > 0) {
      check(JCudaDriver.cuMemcpyDtoDAsync(DeviceAddress.of(to), DeviceAddress.of(from), bytes, stream),
          "copying on the GPU");
    }
  }

  /** Sets elements of 1, 2 or 4 bytes. */
  static void fill(long address, int bits, int elementBytes, long count, CUstream stream) {
    if (count > 0) {
      int code = switch (elementBytes) {
        case 1 -> JCudaDriver.cuMemsetD8Async(DeviceAddress.of(address), (byte) bits, count, stream);
        case 2 -> JCudaDriver.cuMemsetD16Async(DeviceAddress.of(address), (short) bits, count, stream);
        case 4 -> JCudaDriver.cuMemsetD32Async(DeviceAddress.of(address), bits, count, stream);
        default -> throw new IllegalArgumentException("elements of %d bytes".formatted(elementBytes));
      };
      check(code, "filling memory");
    }
  }

  /** @param ptx the module's text, as bytes that end in 0 */
  static CUmodule load(byte[] ptx, String name) {
    CUmodule module = new CUmodule();
    check(JCudaDriver.cuModuleLoadData(module, ptx), "loading the kernels of " + name);
    return module;
  }

  static void unload(CUmodule module) {
    check(JCudaDriver.cuModuleUnload(module), "unloading kernels");
  }

  static CUfunction function(CUmodule module, String name) {
    CUfunction function = new CUfunction();
    check(JCudaDriver.cuModuleGetFunction(function, module, name), "looking for the kernel " + name);
    return function;
  }

  static void launch(CUfunction function, String name, Grid grid, int threads, CUstream stream, Pointer arguments) {
    check(JCudaDriver.cuLaunchKernel(function, grid.x(), grid.y(), grid.z(), threads, 1, 1, 0, stream, arguments, null),
        "launching " + name);
  }

  /** Records what is put into the stream, instead of doing it, until {@link #endCapture}. */
  static void beginCapture(CUstream stream) {
    check(JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "recording a step");
  }

  /** What was recorded, ready to be launched. */
  static CUgraphExec endCapture(CUstream stream) {
    CUgraph graph = new CUgraph();
    check(JCudaDriver.cuStreamEndCapture(stream, graph), "recording a step");
    CUgraphExec executable = new CUgraphExec();
    int code = JCudaDriver.cuGraphInstantiate(executable, graph, 0);
    check(JCudaDriver.cuGraphDestroy(graph), "closing a recorded step");
    check(code, "preparing a recorded step");
    return executable;
  }

  /** Ends a recording that has failed. */
  static void abandonCapture(CUstream stream) {
    CUgraph graph = new CUgraph();
    if (JCudaDriver.cuStreamEndCapture(stream, graph) == CUresult.CUDA_SUCCESS) {
      check(JCudaDriver.cuGraphDestroy(graph), "closing a recorded step");
    }
  }

  static void launch(CUgraphExec graph, CUstream stream) {
    check(JCudaDriver.cuGraphLaunch(graph, stream), "launching a recorded step");
  }

  static void destroy(CUgraphExec graph) {
    check(JCudaDriver.cuGraphExecDestroy(graph), "closing a recorded step");
  }

  /** A mark for a stream that notes when the stream came to it. */
  static CUevent event() {
    CUevent event = new CUevent();
    check(JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT), "making an event");
    return event;
  }

  static void record(CUevent event, CUstream stream) {
    check(JCudaDriver.cuEventRecord(event, stream), "recording an event");
  }

  /** Waits until the stream has come to where the event was recorded last. */
  static void await(CUevent event) {
    check(JCudaDriver.cuEventSynchronize(event), "waiting for copies to the GPU");
  }

  /** From one event to another, both of which the stream has passed; to half a microsecond or so. */
  static long nanosecondsBetween(CUevent begin, CUevent end) {
    float[] milliseconds = new float[1];
    check(JCudaDriver.cuEventElapsedTime(milliseconds, begin, end), "asking what a kernel took");
    return Math.round(milliseconds[0] * 1e6);
  }

  static void destroy(CUevent event) {
    check(JCudaDriver.cuEventDestroy(event), "closing an event");
  }
}
