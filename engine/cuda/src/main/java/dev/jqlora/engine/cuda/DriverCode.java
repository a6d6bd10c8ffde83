package dev.jqlora.engine.cuda;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.Map;

/** What the CUDA driver's result codes mean to a user, and what to do. */
final class DriverCode {
  static final int OUT_OF_MEMORY = 2;

  /** A code's name in {@code cuda.h}, what it says, and what helps. */
  private record Meaning(String name, String what, String help) {}

  private static final String REPORT = "please report it with the output of jqlora doctor --backend cuda";
  private static final String GONE = "the run ends here: start it again, it resumes from its last checkpoint; if it"
      + " happens again, " + REPORT;

  private static final Map<Integer, Meaning> MEANINGS = Map.ofEntries(
      entry(1, "INVALID_VALUE", "an argument is wrong", REPORT),
      entry(OUT_OF_MEMORY, "OUT_OF_MEMORY", "the GPU has no room for it",
          "close other programs that use the GPU, lower device_memory so that more is paged, or lower cutoff_len"),
      entry(3, "NOT_INITIALIZED", "the driver was not initialized", REPORT),
      entry(4, "DEINITIALIZED", "the driver is shutting down", "start the run again"),
      entry(34, "STUB_LIBRARY", "libcuda is the toolkit's stub and not a driver",
          "remove the toolkit's stubs folder from LD_LIBRARY_PATH"),
      entry(46, "DEVICE_UNAVAILABLE", "another process holds the GPU exclusively",
          "end it, or set the compute mode back: nvidia-smi -c DEFAULT"),
      entry(100, "NO_DEVICE", "there is no NVIDIA GPU, or the process may not see it",
          "check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --backend cpu"),
      entry(101, "INVALID_DEVICE", "there is no GPU of that number", "check nvidia-smi -L and CUDA_VISIBLE_DEVICES"),
      entry(200, "INVALID_IMAGE", "the kernels' code is damaged", "build or download jqlora again"),
      entry(201, "INVALID_CONTEXT", "the thread has no context", REPORT),
      entry(209, "NO_BINARY_FOR_GPU", "the GPU is too old for the kernels",
          "use a GPU of compute capability 8.0 or newer, or --backend cpu"),
      entry(214, "ECC_UNCORRECTABLE", "the GPU's memory has an error that cannot be corrected",
          "check nvidia-smi -q -d ECC; the card may be failing"),
      entry(218, "INVALID_PTX", "the driver cannot compile the kernels", "update the NVIDIA driver, or " + REPORT),
      entry(222, "UNSUPPORTED_PTX_VERSION", "the driver is older than the kernels",
          "update the NVIDIA driver to 580 or newer"),
      entry(400, "INVALID_HANDLE", "a handle is not one of the driver's", REPORT),
      entry(500, "NOT_FOUND", "a kernel is missing from its code", "build or download jqlora again"),
      entry(600, "NOT_READY", "the work is not done yet", REPORT),
      entry(700, "ILLEGAL_ADDRESS", "a kernel touched memory that is not its own", GONE),
      entry(701, "LAUNCH_OUT_OF_RESOURCES", "a kernel wants more registers or shared memory than the GPU has", REPORT),
      entry(702, "LAUNCH_TIMEOUT", "a kernel took longer than the display's watchdog allows",
          "run on a GPU without a display, or lower cutoff_len"),
      entry(709, "CONTEXT_IS_DESTROYED", "an earlier failure ended the work on the GPU", GONE),
      entry(714, "HARDWARE_STACK_ERROR", "a kernel failed in hardware", GONE),
      entry(715, "ILLEGAL_INSTRUCTION", "a kernel ran an instruction that the GPU does not know", GONE),
      entry(716, "MISALIGNED_ADDRESS", "a kernel used an address that is not aligned", GONE),
      entry(719, "LAUNCH_FAILED", "a kernel failed", GONE),
      entry(801, "NOT_SUPPORTED", "the driver or the GPU cannot do it", REPORT),
      entry(802, "SYSTEM_NOT_READY", "the driver's services are not running",
          "start them (nvidia-persistenced, nvidia-fabricmanager) or restart the machine"),
      entry(803, "SYSTEM_DRIVER_MISMATCH", "libcuda and the kernel module are of different versions",
          "restart the machine after a driver update"),
      entry(804, "COMPAT_NOT_SUPPORTED_ON_DEVICE", "the compatibility package does not serve this GPU",
          "update the NVIDIA driver itself"),
      entry(900, "STREAM_CAPTURE_UNSUPPORTED", "a call cannot be recorded",
          "set jqlora.cuda.graphs=false, and " + REPORT),
      entry(901, "STREAM_CAPTURE_INVALIDATED", "recording a step failed",
          "set jqlora.cuda.graphs=false, and " + REPORT),
      entry(999, "UNKNOWN", "the driver does not say why",
          "restart the machine; if it happens again, look at dmesg for messages of NVRM"));

  private DriverCode() {}

  private static Map.Entry<Integer, Meaning> entry(int code, String name, String what, String help) {
    return Map.entry(code, new Meaning(name, what, help));
  }

  /** The failure of a call in one line. */
  static JqloraException failure(int code, String doing) {
    return new JqloraException(code == OUT_OF_MEMORY ? Kind.MEMORY : Kind.BACKEND, explain(code, doing));
  }

  static String explain(int code, String doing) {
    Meaning meaning = MEANINGS.getOrDefault(code,
        new Meaning("code " + code, "the driver failed", "look the code up in cuda.h, and " + REPORT));
    return "CUDA: %s: %s (CUDA_ERROR_%s): %s".formatted(doing, meaning.what, meaning.name, meaning.help);
  }
}
