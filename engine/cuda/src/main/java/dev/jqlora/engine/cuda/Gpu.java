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
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUstream;

/** An open GPU: its context, the one stream that work goes into, and the kernels loaded so far. */
final class Gpu implements AutoCloseable {
  /** PTX 9.0, as nvcc 13.0 writes it, asks for this. */
  static final int NEWEST_CUDA = 13_000;
  static final int LEAST_CAPABILITY = 80;
  private static final String LIBRARY = System.getProperty("os.name", "").startsWith("Windows")
      ? "nvcuda.dll"
      : "libcuda.so.1";

  /** What Linux tells of the driver's part in the kernel. */
  private static final Path KERNEL_MODULE = Path.of("/proc/driver/nvidia/version");

  private final CUdevice device;
  private final CUcontext context;
  private final CUstream stream;
  private final Launcher launcher;

  Gpu(int ordinal, Precision precision) {
    Driver.check(Driver.initialize(), "starting the driver");
    device = Driver.device(ordinal);
    context = Driver.retainContext(device);
    Driver.enter(context);
    stream = Driver.stream();
    launcher = new Launcher(stream, precision);
  }

  /** An empty text, or why no GPU can be used here and what to do. */
  static String unavailable() {
    if (!hasDriver()) {
      return "there is no NVIDIA driver (%s): install it, or use --backend cpu".formatted(LIBRARY);
    }
    try {
      int code = Driver.initialize();
      if (code != 0) {
        return DriverCode.explain(code, "starting the driver");
      }
      if (Driver.version() < NEWEST_CUDA) {
        return "the NVIDIA driver serves CUDA %d.%d, the kernels need 13.0: update it to 580 or newer".formatted(
            Driver.version() / 1000, Driver.version() % 1000 / 10);
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

  /** Asked before JCuda, which takes long to find out. */
  static boolean hasDriver() {
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup.libraryLookup(LIBRARY, arena);
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
    int cuda = Driver.version();
    return String.format(Locale.ROOT, "%s, %.1f GiB, compute capability %d.%d, driver for CUDA %d.%d",
        Driver.name(device), Driver.totalBytes(device) / (double) (1L << 30), capability / 10, capability % 10,
        cuda / 1000, cuda % 1000 / 10);
  }

  /** The card in figures. */
  GpuInfo info() {
    enter();
    Driver.Memory memory = Driver.memory();
    int capability = capability(device);
    int cuda = Driver.version();
    SequencedMap<String, String> versions = new LinkedHashMap<>();
    versions.put("compute_capability", "%d.%d".formatted(capability / 10, capability % 10));
    versions.put("cuda", "%d.%d".formatted(cuda / 1000, cuda % 1000 / 10));
    driverNumber(KERNEL_MODULE).ifPresent(number -> versions.put("driver", number));
    return new GpuInfo(Driver.name(device), memory.total(), OptionalLong.of(memory.free()), versions);
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

  /** Whether a failure has ended the context and all that is in it. */
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
