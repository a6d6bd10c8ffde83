package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A CUDA driver without a device, built from {@code src/test/native} and the kernels' own sources, and loaded before JCuda
 * looks for {@code libcuda.so.1}. Where there is no {@code g++}, tests that need it are skipped and say so.
 */
public final class TestDriver {
  private static final Path NATIVE = KernelSources.MODULE.resolve("src/test/native");
  private static final Path BUILT = KernelSources.MODULE.resolve("target/test-driver");
  private static final List<String> COMPILER = List.of("g++", "-std=c++20", "-O2", "-fPIC", "-Wall", "-Wextra",
      "-Werror", "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-unknown-pragmas",
      "-ffp-contract=off");
  private static final Pattern KERNEL = Pattern.compile("KERNEL\\(\\d+\\)\\s+(\\w+)\\(");

  private static boolean loaded;
  private static boolean failed;

  private TestDriver() {}

  /** Makes the driver the one that JCuda finds, as new; from here on it is the only one of this process. */
  public static synchronized void use() {
    if (!loaded) {
      assumeTrue(KernelSources.have("g++"), "there is no g++ to build the test driver with: skipped");
      if (failed) {
        throw new IllegalStateException("the test driver could not be built: see the first failure");
      }
      failed = true;
      System.load(library().toString());
      failed = false;
      loaded = true;
    }
    call("jqlora_driver_reset", FunctionDescriptor.ofVoid());
  }

  /** A backend on the driver, with kernels that do not report their accesses: some ten times as fast. */
  public static CudaBackend unchecked() {
    return unchecked(Precision.FLOAT32, Map.of());
  }

  /** The same with some of the driver's settings other than they are; see {@link #set}. */
  public static CudaBackend unchecked(Map<String, Long> settings) {
    return unchecked(Precision.FLOAT32, settings);
  }

  /** The same in another precision. */
  public static CudaBackend unchecked(Precision precision, Map<String, Long> settings) {
    use();
    set("checked", 0);
    settings.forEach(TestDriver::set);
    return new CudaBackend(precision);
  }

  /** A setting of driver.cpp, such as checked, dry, memory, driver, capability, concurrent, managedPage, devices. */
  public static void set(String name, long value) {
    try (Arena arena = Arena.ofConfined()) {
      int code = (int) call("jqlora_driver_set",
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG),
          arena.allocateFrom(name), value);
      if (code != 0) {
        throw new IllegalArgumentException("the test driver has no setting " + name);
      }
    }
  }

  /** A count of driver.cpp, such as allocated, peak, allocations, host, streams, modules, graphs, contexts, launches. */
  public static long count(String name) {
    try (Arena arena = Arena.ofConfined()) {
      return (long) call("jqlora_driver_count", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS),
          arena.allocateFrom(name));
    }
  }

  /** Lets a call fail once, after so many that succeed. */
  public static void fail(String function, long after, int code) {
    try (Arena arena = Arena.ofConfined()) {
      call("jqlora_driver_fail",
          FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT),
          arena.allocateFrom(function), after, code);
    }
  }

  /** What the driver said of the last failure. */
  static String complaint() {
    MemorySegment text = (MemorySegment) call("jqlora_driver_complaint", FunctionDescriptor.of(ValueLayout.ADDRESS));
    return text.reinterpret(Long.MAX_VALUE).getString(0);
  }

  /** Whether kernels of planted.cu run in place of those that they are named after. */
  static void plant(boolean planted) {
    call("jqlora_plant", FunctionDescriptor.ofVoid(ValueLayout.JAVA_BOOLEAN), planted);
  }

  private static Object call(String function, FunctionDescriptor type, Object... arguments) {
    MethodHandle handle = Linker.nativeLinker()
        .downcallHandle(SymbolLookup.loaderLookup().find(function).orElseThrow(), type);
    try {
      return handle.invokeWithArguments(arguments);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** The library, built unless its sources are those of the last time. */
  private static Path library() {
    List<Path> sources = new ArrayList<>(KernelSources.list(NATIVE, ""));
    sources.addAll(KernelSources.list(KernelSources.FOLDER, ""));
    Path folder = BUILT.resolve(KernelSources.digest(sources, COMPILER.toString()).substring(0, 16));
    Path library = folder.resolve("libcuda.so.1");
    if (!Files.exists(library)) {
      try {
        clear(BUILT);
        Files.createDirectories(folder);
        build(folder, library);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return library;
  }

  private static void clear(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> all = Files.walk(folder)) {
        for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }

  private static void build(Path folder, Path library) throws IOException {
    List<CompletableFuture<Path>> objects = new ArrayList<>();
    Path kernels = folder.resolve("kernels.cpp");
    Files.writeString(kernels, kernels(folder));
    objects.add(compile(kernels, folder.resolve("checked.o"), List.of("-DCHECKED=true", "-fsanitize=thread",
        // The hooks are the driver's own: the sanitizer's word of how much slower they are is not wanted.
        "-Wno-tsan")));
    objects.add(compile(kernels, folder.resolve("plain.o"), List.of("-DCHECKED=false", "-O3")));
    for (Path source : KernelSources.list(NATIVE, ".cpp")) {
      objects.add(compile(source, folder.resolve(KernelSources.stem(source) + ".o"), List.of()));
    }
    Path unfinished = folder.resolve("libcuda.unfinished");
    List<String> link = new ArrayList<>(List.of("g++", "-shared", "-Wl,-soname,libcuda.so.1", "-o",
        unfinished.toString()));
    objects.forEach(object -> link.add(object.join().toString()));
    KernelSources.run(link);
    Files.move(unfinished, library, StandardCopyOption.ATOMIC_MOVE);
  }

  private static CompletableFuture<Path> compile(Path source, Path object, List<String> options) {
    List<String> command = new ArrayList<>(COMPILER);
    command.addAll(options);
    command.addAll(List.of("-I", NATIVE.toString(), "-I", KernelSources.FOLDER.toString(), "-c", source.toString(),
        "-o", object.toString()));
    return CompletableFuture.supplyAsync(() -> {
      KernelSources.run(command);
      return object;
    });
  }

  /** All kernels in one translation unit, those of a file in a namespace, and a list of their names. */
  private static String kernels(Path folder) throws IOException {
    StringBuilder code = new StringBuilder("#include \"launch.h\"\n");
    for (Path header : KernelSources.list(KernelSources.FOLDER, ".cuh")) {
      code.append("#include \"%s\"%n".formatted(header.getFileName()));
    }
    StringBuilder list = new StringBuilder("static const bool added = [] {\n");
    List<Path> files = new ArrayList<>(KernelSources.files());
    files.addAll(KernelSources.list(NATIVE, ".cu"));
    for (Path file : files) {
      String space = "of_" + KernelSources.stem(file);
      code.append("namespace %s {%n#include \"%s\"%n}%n".formatted(space, file.getFileName()));
      for (String name : names(file, folder)) {
        list.append("  cpu::add_kernel<%1$s::%2$s>(\"%2$s\", CHECKED, %1$s::%2$s);%n".formatted(space, name));
      }
    }
    return code.append(list).append("  return true;\n}();\n").toString();
  }

  /** The names of a file's kernels, those that its own macros make among them: KERNEL, a header's, is left as it is. */
  private static List<String> names(Path file, Path folder) throws IOException {
    Path alone = folder.resolve(KernelSources.stem(file) + ".alone");
    Files.writeString(alone, KernelSources.read(file).replaceAll("(?m)^#include.*$", ""));
    String expanded = KernelSources.run(List.of("g++", "-E", "-P", "-x", "c++", alone.toString()));
    return KERNEL.matcher(expanded).results().map(match -> match.group(1)).toList();
  }
}
