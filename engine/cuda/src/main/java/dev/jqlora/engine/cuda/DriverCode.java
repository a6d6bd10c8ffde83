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

  private static final String UPDATE = "update the NVIDIA driver to 580 or newer";
  private static final String REINSTALL = "install the NVIDIA driver again, and restart the machine";
  private static final String MPS = "restart nvidia-cuda-mps-control, or end it (echo quit | nvidia-cuda-mps-control)";
  private static final String NO_GRAPHS = "set -Djqlora.cuda.graphs=false, and " + REPORT;

  private static final Map<Integer, Meaning> MEANINGS = Map.ofEntries(
      entry(1, "INVALID_VALUE", "an argument is wrong", REPORT),
      entry(OUT_OF_MEMORY, "OUT_OF_MEMORY", "the GPU has no room for it",
          "close other programs that use the GPU, lower device_memory so that more is paged, or lower cutoff_len"),
      entry(3, "NOT_INITIALIZED", "the driver was not initialized", REPORT),
      entry(4, "DEINITIALIZED", "the driver is shutting down", "start the run again"),
      entry(5, "PROFILER_DISABLED", "the profiler is off", REPORT),
      entry(6, "PROFILER_NOT_INITIALIZED", "the profiler was not started", REPORT),
      entry(7, "PROFILER_ALREADY_STARTED", "the profiler runs already", REPORT),
      entry(8, "PROFILER_ALREADY_STOPPED", "the profiler has stopped already", REPORT),
      entry(34, "STUB_LIBRARY", "libcuda is the toolkit's stub and not a driver",
          "remove the toolkit's stubs folder from LD_LIBRARY_PATH"),
      entry(36, "CALL_REQUIRES_NEWER_DRIVER", "the driver is too old for a call", UPDATE),
      entry(46, "DEVICE_UNAVAILABLE", "another process holds the GPU exclusively",
          "end it, or set the compute mode back: nvidia-smi -c DEFAULT"),
      entry(100, "NO_DEVICE", "there is no NVIDIA GPU, or the process may not see it",
          "check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --backend cpu"),
      entry(101, "INVALID_DEVICE", "there is no GPU of that number", "check nvidia-smi -L and CUDA_VISIBLE_DEVICES"),
      entry(102, "DEVICE_NOT_LICENSED", "the virtual GPU has no licence",
          "ask who runs the machine for a vGPU licence"),
      entry(200, "INVALID_IMAGE", "the kernels' code is damaged", "build or download jqlora again"),
      entry(201, "INVALID_CONTEXT", "the thread has no context", REPORT),
      entry(202, "CONTEXT_ALREADY_CURRENT", "the thread has that context already", REPORT),
      entry(205, "MAP_FAILED", "memory could not be mapped", REPORT),
      entry(206, "UNMAP_FAILED", "memory could not be unmapped", REPORT),
      entry(207, "ARRAY_IS_MAPPED", "an array is mapped", REPORT),
      entry(208, "ALREADY_MAPPED", "memory is mapped already", REPORT),
      entry(209, "NO_BINARY_FOR_GPU", "the GPU is too old for the kernels",
          "use a GPU of compute capability 8.0 or newer, or --backend cpu"),
      entry(210, "ALREADY_ACQUIRED", "a resource is in use already", REPORT),
      entry(211, "NOT_MAPPED", "memory is not mapped", REPORT),
      entry(212, "NOT_MAPPED_AS_ARRAY", "memory is not mapped as an array", REPORT),
      entry(213, "NOT_MAPPED_AS_POINTER", "memory is not mapped as a pointer", REPORT),
      entry(214, "ECC_UNCORRECTABLE", "the GPU's memory has an error that cannot be corrected",
          "check nvidia-smi -q -d ECC; the card may be failing"),
      entry(215, "UNSUPPORTED_LIMIT", "the GPU does not have that limit", REPORT),
      entry(216, "CONTEXT_ALREADY_IN_USE", "another thread uses the context", REPORT),
      entry(217, "PEER_ACCESS_UNSUPPORTED", "the GPUs cannot reach each other's memory", REPORT),
      entry(218, "INVALID_PTX", "the driver cannot compile the kernels", "update the NVIDIA driver, or " + REPORT),
      entry(219, "INVALID_GRAPHICS_CONTEXT", "a graphics context is wrong", REPORT),
      entry(220, "NVLINK_UNCORRECTABLE", "an NVLink has an error that cannot be corrected",
          "check nvidia-smi nvlink -e; the link may be failing"),
      entry(221, "JIT_COMPILER_NOT_FOUND", "the driver's compiler (libnvidia-ptxjitcompiler) is missing",
          "install the whole NVIDIA driver; in a container, all of its libraries"),
      entry(222, "UNSUPPORTED_PTX_VERSION", "the driver is older than the kernels",
          UPDATE),
      entry(223, "JIT_COMPILATION_DISABLED", "compiling is turned off",
          "unset CUDA_DISABLE_PTX_JIT and CUDA_DISABLE_JIT"),
      entry(224, "UNSUPPORTED_EXEC_AFFINITY", "the GPU cannot be divided so", REPORT),
      entry(225, "UNSUPPORTED_DEVSIDE_SYNC", "a kernel waits for a kernel that it started", REPORT),
      entry(226, "CONTAINED", "the GPU's memory had an error, which was contained", GONE),
      entry(300, "INVALID_SOURCE", "a kernel's source is wrong", REPORT),
      entry(301, "FILE_NOT_FOUND", "a file is missing", REPORT),
      entry(302, "SHARED_OBJECT_SYMBOL_NOT_FOUND", "a library of the driver lacks a symbol", REINSTALL),
      entry(303, "SHARED_OBJECT_INIT_FAILED", "a library of the driver does not start", REINSTALL),
      entry(304, "OPERATING_SYSTEM", "a call of the operating system failed",
          "look at dmesg for messages of NVRM, and check limits such as ulimit -l"),
      entry(400, "INVALID_HANDLE", "a handle is not one of the driver's", REPORT),
      entry(401, "ILLEGAL_STATE", "a resource is not ready for the call", REPORT),
      entry(402, "LOSSY_QUERY", "an answer cannot be given in full", REPORT),
      entry(500, "NOT_FOUND", "a kernel is missing from its code", "build or download jqlora again"),
      entry(600, "NOT_READY", "the work is not done yet", REPORT),
      entry(700, "ILLEGAL_ADDRESS", "a kernel touched memory that is not its own", GONE),
      entry(701, "LAUNCH_OUT_OF_RESOURCES", "a kernel wants more registers or shared memory than the GPU has", REPORT),
      entry(702, "LAUNCH_TIMEOUT", "a kernel took longer than the display's watchdog allows",
          "run on a GPU without a display, or lower cutoff_len"),
      entry(703, "LAUNCH_INCOMPATIBLE_TEXTURING", "a kernel's textures are of another mode", REPORT),
      entry(704, "PEER_ACCESS_ALREADY_ENABLED", "the GPUs reach each other's memory already", REPORT),
      entry(705, "PEER_ACCESS_NOT_ENABLED", "the GPUs do not reach each other's memory", REPORT),
      entry(706, "PEER_MEMORY_ALREADY_REGISTERED", "memory is known to the other GPU already", REPORT),
      entry(707, "PEER_MEMORY_NOT_REGISTERED", "memory is not known to the other GPU", REPORT),
      entry(708, "PRIMARY_CONTEXT_ACTIVE", "the context is in use already", REPORT),
      entry(709, "CONTEXT_IS_DESTROYED", "an earlier failure ended the work on the GPU", GONE),
      entry(710, "ASSERT", "an assertion in a kernel failed", GONE),
      entry(711, "TOO_MANY_PEERS", "too many GPUs reach each other's memory", REPORT),
      entry(712, "HOST_MEMORY_ALREADY_REGISTERED", "memory is page-locked already", REPORT),
      entry(713, "HOST_MEMORY_NOT_REGISTERED", "memory is not page-locked", REPORT),
      entry(714, "HARDWARE_STACK_ERROR", "a kernel failed in hardware", GONE),
      entry(715, "ILLEGAL_INSTRUCTION", "a kernel ran an instruction that the GPU does not know", GONE),
      entry(716, "MISALIGNED_ADDRESS", "a kernel used an address that is not aligned", GONE),
      entry(717, "INVALID_ADDRESS_SPACE", "a kernel used an address of another kind of memory", GONE),
      entry(718, "INVALID_PC", "a kernel left its code", GONE),
      entry(719, "LAUNCH_FAILED", "a kernel failed", GONE),
      entry(720, "COOPERATIVE_LAUNCH_TOO_LARGE", "a kernel has more blocks than run at once", REPORT),
      entry(721, "TENSOR_MEMORY_LEAK", "a kernel did not give tensor memory back", GONE),
      entry(800, "NOT_PERMITTED", "the process may not do it",
          "check the rights to /dev/nvidia*, and what the container or the job system allows"),
      entry(801, "NOT_SUPPORTED", "the driver or the GPU cannot do it", REPORT),
      entry(802, "SYSTEM_NOT_READY", "the driver's services are not running",
          "start them (nvidia-persistenced, nvidia-fabricmanager) or restart the machine"),
      entry(803, "SYSTEM_DRIVER_MISMATCH", "libcuda and the kernel module are of different versions",
          "restart the machine after a driver update"),
      entry(804, "COMPAT_NOT_SUPPORTED_ON_DEVICE", "the compatibility package does not serve this GPU",
          "update the NVIDIA driver itself"),
      entry(805, "MPS_CONNECTION_FAILED", "the multi-process service does not answer", MPS),
      entry(806, "MPS_RPC_FAILURE", "a call to the multi-process service failed", MPS),
      entry(807, "MPS_SERVER_NOT_READY", "the multi-process service is not ready", MPS),
      entry(808, "MPS_MAX_CLIENTS_REACHED", "the multi-process service has too many clients", MPS),
      entry(809, "MPS_MAX_CONNECTIONS_REACHED", "the multi-process service has too many connections", MPS),
      entry(810, "MPS_CLIENT_TERMINATED", "the multi-process service ended this process's work", MPS),
      entry(811, "CDP_NOT_SUPPORTED", "kernels cannot start kernels here", REPORT),
      entry(812, "CDP_VERSION_MISMATCH", "kernels that start kernels are of another version", REPORT),
      entry(900, "STREAM_CAPTURE_UNSUPPORTED", "a call cannot be recorded", NO_GRAPHS),
      entry(901, "STREAM_CAPTURE_INVALIDATED", "recording a step failed", NO_GRAPHS),
      entry(902, "STREAM_CAPTURE_MERGE", "two recordings met", NO_GRAPHS),
      entry(903, "STREAM_CAPTURE_UNMATCHED", "the recording was not begun in this stream", NO_GRAPHS),
      entry(904, "STREAM_CAPTURE_UNJOINED", "a stream of the recording did not come back", NO_GRAPHS),
      entry(905, "STREAM_CAPTURE_ISOLATION", "the recording waits for what is not in it", NO_GRAPHS),
      entry(906, "STREAM_CAPTURE_IMPLICIT", "the recording waits for the default stream", NO_GRAPHS),
      entry(907, "CAPTURED_EVENT", "an event of a recording was waited for", NO_GRAPHS),
      entry(908, "STREAM_CAPTURE_WRONG_THREAD", "another thread ended the recording", NO_GRAPHS),
      entry(909, "TIMEOUT", "the GPU did not answer in time", "start the run again; if it happens again, " + REPORT),
      entry(910, "GRAPH_EXEC_UPDATE_FAILURE", "a recorded step cannot be changed so", NO_GRAPHS),
      entry(911, "EXTERNAL_DEVICE", "a device beside the GPU failed", REPORT),
      entry(912, "INVALID_CLUSTER_SIZE", "a kernel's clusters are too large", REPORT),
      entry(913, "FUNCTION_NOT_LOADED", "a kernel is not loaded", REPORT),
      entry(914, "INVALID_RESOURCE_TYPE", "a resource is of the wrong type", REPORT),
      entry(915, "INVALID_RESOURCE_CONFIGURATION", "resources do not go together", REPORT),
      entry(916, "KEY_ROTATION", "the GPU changes its keys", "start the run again"),
      entry(999, "UNKNOWN", "the driver does not say why",
          "restart the machine; if it happens again, look at dmesg for messages of NVRM"));

  private DriverCode() {}

  private static Map.Entry<Integer, Meaning> entry(int code, String name, String what, String help) {
    return Map.entry(code, new Meaning(name, what, help));
  }

  /** Whether a code has a meaning here, under a name of {@code cuda.h}. */
  static boolean isKnown(int code, String name) {
    Meaning meaning = MEANINGS.get(code);
    return meaning != null && name.equals("CUDA_ERROR_" + meaning.name);
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
