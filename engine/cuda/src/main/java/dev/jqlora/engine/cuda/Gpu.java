package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.error.JqloraException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** An open GPU: its context, the one stream that work goes into, and the kernels loaded so far. */
final class Gpu implements AutoCloseable {
  /** PTX 9.0, as nvcc 13.0 writes it, asks for this. */
  private static final int LEAST_CUDA = 13_000;
  private static final int LEAST_CAPABILITY = 80;
  /** What code, recorded steps and the rounding of allocations may take beside a session's memory. */
  private static final long RESERVE = 256L << 20;
  /** The driver's. */
  static final String LIBRARY = System.getProperty("os.name", "").startsWith("Windows")
      ? "nvcuda.dll"
      : "libcuda.so.1";

  /** What Linux tells of the driver's part in the kernel. */
  private static final Path KERNEL_MODULE = Path.of("/proc/driver/nvidia/version");

  private final CUdevice device;
  private final CUcontext context;
  private final CUstream stream;
  private final Launcher launcher;
  private final boolean movesManagedMemory;

  Gpu(int ordinal, Precision precision) {
    Driver.check(Driver.initialize(), "starting the driver");
    Function<String, PtxModule> code = Nvrtc.isWanted()
        ? new Nvrtc(Nvrtc.cacheFolder(), Driver.version())::module
        : PtxModule::read;
    device = Driver.device(ordinal);
    context = Driver.retainContext(device);
    try {
      Driver.enter(context);
      stream = Driver.stream();
      movesManagedMemory = Driver.attribute(device,
          CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS) != 0;
    } catch (JqloraException e) {
      Driver.releaseContext(device);
      throw e;
    }
    launcher = new Launcher(stream, precision, code);
  }

  /** An empty text, or why no GPU can be used here and what to do. */
  static String unavailable() {
    return unavailable(LIBRARY);
  }

  /** @param library the driver's */
  static String unavailable(String library) {
    if (!hasDriver(library)) {
      return "there is no NVIDIA driver (%s): install it, or use --backend cpu".formatted(library);
    }
    try {
      int code = Driver.initialize();
      if (code != 0) {
        return DriverCode.explain(code, "starting the driver");
      }
      String tooOld = tooOld(Driver.version());
      if (!tooOld.isEmpty()) {
        return tooOld;
      }
      if (Nvrtc.isWanted() && !Nvrtc.unavailable().isEmpty()) {
        return Nvrtc.unavailable();
      }
      int capability = capability(Driver.device(0));
      if (capability < LEAST_CAPABILITY) {
        return "the GPU has compute capability %d.%d, the kernels need 8.0 or newer: use --backend cpu".formatted(
            capability / 10, capability % 10);
      }
      return "";
    } catch (UnsatisfiedLinkError e) {
      return "JCuda does not load here: " + String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    } catch (JqloraException e) {
      return String.valueOf(e.getMessage());
    }
  }

  private static String tooOld(int version) {
    if (Nvrtc.isWanted()) {
      return version >= Nvrtc.LEAST_CUDA
          ? ""
          : "the NVIDIA driver serves CUDA %s, kernels compiled here need 12.0: update it to 525 or newer".formatted(
              cuda(version));
    }
    return version >= LEAST_CUDA
        ? ""
        : ("the NVIDIA driver serves CUDA %s, the kernels need 13.0: update it to 580 or newer, or have them compiled by a CUDA"
            + " 12 toolkit with JQLORA_OPTS=-D%s=true").formatted(cuda(version), Nvrtc.PROPERTY);
  }

  /** A version of CUDA in words, such as 13.0 for 13000. */
  static String cuda(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  /** Whether there is a driver, of whatever age. */
  static boolean isInstalled() {
    return hasDriver(LIBRARY);
  }

  /** Asked before JCuda, which takes long to find out. */
  private static boolean hasDriver(String library) {
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup.libraryLookup(library, arena);
      return true;
    } catch (IllegalArgumentException _) {
      return false;
    }
  }

  private static int capability(CUdevice device) {
    return 10 * Driver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        + Driver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  }

  /** The card in words. */
  String describe() {
    int capability = capability(device);
    return String.format(Locale.ROOT, "%s, %.1f GiB, compute capability %d.%d, driver for CUDA %s",
        Driver.name(device), Driver.totalBytes(device) / (double) (1L << 30), capability / 10, capability % 10,
        cuda(Driver.version()));
  }

  /** What is free of the card's memory, but for a reserve. */
  long availableBytes() {
    enter();
    return Math.max(0, Driver.freeBytes() - RESERVE);
  }

  /** The card in figures. */
  GpuInfo info() {
    enter();
    int capability = capability(device);
    SequencedMap<String, String> versions = new LinkedHashMap<>();
    versions.put("compute_capability", "%d.%d".formatted(capability / 10, capability % 10));
    versions.put("cuda", cuda(Driver.version()));
    driverNumber(KERNEL_MODULE).ifPresent(number -> versions.put("driver", number));
    return new GpuInfo(Driver.name(device), Driver.totalBytes(device), OptionalLong.of(Driver.freeBytes()), versions);
  }

  /** The number by which a driver is downloaded, such as 580.65.06; the driver's own interface does not tell it. */
  static Optional<String> driverNumber(Path kernelModule) {
    try {
      Matcher number = Pattern.compile("\\b\\d{3}\\.\\d+(\\.\\d+)?\\b").matcher(Files.readString(kernelModule));
      return number.find() ? Optional.of(number.group()) : Optional.empty();
    } catch (IOException _) {
      return Optional.empty();
    }
  }

  /** To be called on a thread before it uses the GPU. */
  void enter() {
    Driver.enter(context);
  }

  CUstream stream() {
    return stream;
  }

  Launcher launcher() {
    return launcher;
  }

  /** Whether the driver keeps parts of managed memory on the host while kernels use others. */
  boolean movesManagedMemory() {
    return movesManagedMemory;
  }

  void prefetchToDevice(long address, long bytes) {
    Driver.prefetch(address, bytes, device, stream);
  }

  void prefetchToHost(long address, long bytes) {
    Driver.prefetch(address, bytes, JCudaDriver.CU_DEVICE_CPU, stream);
  }

  /** Waits for all work, and says whether a failure has ended the context and all that is in it. */
  boolean lost() {
    return Driver.isLost(stream);
  }

  void synchronize(String doing) {
    Driver.synchronize(stream, doing);
  }

  @Override
  public void close() {
    try {
      enter();
      if (!lost()) {
        launcher.close();
        Driver.destroy(stream);
      }
    } finally {
      Driver.releaseContext(device);
    }
  }
}
