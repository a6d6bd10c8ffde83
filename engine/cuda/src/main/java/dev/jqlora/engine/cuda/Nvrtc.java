package dev.jqlora.engine.cuda;

import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.error.JqloraException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;

/**
 * Compiles kernels from their sources with NVRTC of an installed CUDA 12 toolkit, instead of taking the PTX of the jar: for
 * drivers that are too old for that, and for whoever works on kernels. What was compiled is kept in a folder of files, each
 * named by a digest of all that it is made from.
 */
final class Nvrtc {
  /** Set to true, kernels are compiled here. */
  static final String PROPERTY = "jqlora.cuda.nvrtc";
  /** The folder below which what was compiled is kept; by default {@code $XDG_CACHE_HOME/jqlora}, or {@code ~/.cache/jqlora}. */
  static final String CACHE_PROPERTY = "jqlora.cache";
  /** The first CUDA whose drivers take what NVRTC 12 writes. */
  static final int LEAST_CUDA = 12_000;
  private static final String LIBRARY = System.getProperty("os.name", "").startsWith("Windows")
      ? "nvrtc64_120_0.dll"
      : "libnvrtc.so.12";
  /** NVRTC has no headers of the C library, from which nvcc takes INFINITY. */
  private static final List<String> OPTIONS = List.of("--gpu-architecture=compute_80", "--std=c++17",
      "--define-macro=INFINITY=__int_as_float(0x7f800000)");

  private final Path cache;
  /** Such as 12060. */
  private final int version;

  /** @param driverVersion the newest CUDA that the driver serves */
  Nvrtc(Path cache, int driverVersion) {
    this.cache = cache;
    int[] major = new int[1];
    int[] minor = new int[1];
    check(JNvrtc.nvrtcVersion(major, minor), "asking for NVRTC's version");
    version = major[0] * 1000 + minor[0] * 10;
    if (version > driverVersion) {
      throw new JqloraException(Kind.BACKEND,
          "NVRTC is that of CUDA %s, the NVIDIA driver serves CUDA %s: use the CUDA 12 toolkit of the driver's version or older"
              .formatted(Gpu.cuda(version), Gpu.cuda(driverVersion)));
    }
  }

  static boolean isWanted() {
    return Boolean.getBoolean(PROPERTY);
  }

  /** An empty text, or why NVRTC cannot be used here and what to do. */
  static String unavailable() {
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup.libraryLookup(LIBRARY, arena);
      return "";
    } catch (IllegalArgumentException _) {
      return "-D%s=true needs NVRTC (%s): install the CUDA 12 toolkit of your driver and put its libraries on %s"
          .formatted(PROPERTY, LIBRARY, LIBRARY.endsWith("dll") ? "PATH" : "LD_LIBRARY_PATH");
    }
  }

  static Path cacheFolder() {
    String given = System.getProperty(CACHE_PROPERTY, "");
    if (!given.isBlank()) {
      return Path.of(given, "cuda").toAbsolutePath();
    }
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base = cache == null || cache.isBlank()
        ? Path.of(System.getProperty("user.home", "."), ".cache")
        : Path.of(cache);
    return base.resolve("jqlora").resolve("cuda").toAbsolutePath();
  }

  /** The compiled kernels of a source file. */
  PtxModule module(String stem) {
    KernelSource source = KernelSource.read(stem);
    Path file = cache.resolve("%s-%s.ptx".formatted(stem, digest(source)));
    try {
      if (!Files.exists(file)) {
        Files.createDirectories(cache);
        Path unfinished = Files.createTempFile(cache, stem, ".unfinished");
        Files.writeString(unfinished, compile(source));
        Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
      }
      return PtxModule.parse(stem, Files.readString(file));
    } catch (IOException e) {
      throw new JqloraException(Kind.BACKEND,
          "cannot keep compiled kernels in %s (%s): set -D%s to a folder that can be written".formatted(cache, e,
              CACHE_PROPERTY),
          e);
    }
  }

  private String digest(KernelSource source) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      String all = version + "\0" + OPTIONS + "\0" + source;
      return HexFormat.of().formatHex(digest.digest(all.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String compile(KernelSource source) {
    nvrtcProgram program = new nvrtcProgram();
    check(JNvrtc.nvrtcCreateProgram(program, source.text(), source.name(), source.headers().size(),
        source.headers().values().toArray(String[]::new), source.headers().keySet().toArray(String[]::new)),
        "beginning with " + source.name());
    try {
      int code = JNvrtc.nvrtcCompileProgram(program, OPTIONS.size(), OPTIONS.toArray(String[]::new));
      if (code != 0) {
        String[] log = new String[1];
        JNvrtc.nvrtcGetProgramLog(program, log);
        check(code, "compiling %s: %s".formatted(source.name(), String.valueOf(log[0]).strip().replace('\n', ';')));
      }
      String[] ptx = new String[1];
      check(JNvrtc.nvrtcGetPTX(program, ptx), "reading what " + source.name() + " became");
      return ptx[0];
    } finally {
      JNvrtc.nvrtcDestroyProgram(program);
    }
  }

  private static void check(int code, String doing) {
    if (code != 0) {
      throw new JqloraException(Kind.BACKEND,
          "NVRTC: %s (%s): use another CUDA 12 toolkit, or leave -D%s out and update the NVIDIA driver to 580 or newer"
              .formatted(doing, JNvrtc.nvrtcGetErrorString(code), PROPERTY));
    }
  }
}
