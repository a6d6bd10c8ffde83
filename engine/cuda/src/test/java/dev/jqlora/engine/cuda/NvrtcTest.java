package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kernels compiled at run time: by NVRTC where it is installed, else by what stands in for it, {@code nvrtc.cpp}. */
class NvrtcTest {
  private static final Path STAND_IN = KernelSources.MODULE.resolve("src/test/nvrtc/nvrtc.cpp");

  @TempDir
  private Path cache;

  @BeforeEach
  void compileHere() throws IOException {
    TestDriver.use();
    TestDriver.set("driver", 12_060);
    if (!Nvrtc.unavailable().isEmpty()) {
      load();
    }
    System.setProperty(Nvrtc.PROPERTY, "true");
    System.setProperty(Nvrtc.CACHE_PROPERTY, cache.toString());
  }

  private static void load() throws IOException {
    assumeTrue(KernelSources.have("g++"), "there is no g++ to build a stand-in for NVRTC with: skipped");
    Path ptx = KernelSources.MODULE.resolve("src/main/resources/dev/jqlora/engine/cuda/ptx");
    Path folder = Files.createDirectories(KernelSources.MODULE.resolve("target/test-nvrtc"));
    Path library = folder.resolve("libnvrtc.so.12");
    KernelSources.run(List.of("g++", "-std=c++20", "-O1", "-fPIC", "-shared", "-Wall", "-Werror",
        "-Wl,-soname,libnvrtc.so.12", "-DFOLDER=\"" + ptx + "\"", STAND_IN.toString(), "-o", library.toString()));
    System.load(library.toString());
  }

  @AfterEach
  void takeThePtxOfTheJarAgain() {
    System.clearProperty(Nvrtc.PROPERTY);
    System.clearProperty(Nvrtc.CACHE_PROPERTY);
  }

  private static float sum() {
    TensorType type = TensorType.f32(3);
    Program.Builder program = new Program.Builder("sum");
    program.fetch("sum", program.graph().apply(new Add(), program.feed("x", type), program.feed("y", type)));
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      Map<String, Tensor> sums = session.compile(program.build()).run(Map.of("x", Tensor.of(type, 1f, 2f, 3f), "y",
          Tensor.of(type, 10f, 20f, 30f)));
      return (float) Objects.requireNonNull(sums.get("sum")).get(2);
    }
  }

  @Test
  void anOlderDriverRunsWhatIsCompiledHereAndKept() throws IOException {
    assertEquals("", Gpu.unavailable());
    assertEquals(33, sum());
    List<Path> kept = KernelSources.list(cache.resolve("cuda"), "");
    assertEquals(1, kept.size(), kept.toString());
    assertTrue(kept.getFirst().getFileName().toString().matches("add-[0-9a-f]{64}[.]ptx"), kept.toString());
    Files.writeString(kept.getFirst(), Files.readString(kept.getFirst()).replace(".version 8", ".version 9"));
    // What lies there is taken as it is.
    assertTrue(String.valueOf(assertThrows(JqloraException.class, NvrtcTest::sum).getMessage()).contains(
        "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"));
  }

  @Test
  void everyKernelCompilesWithTheHeadersOfTheJar() {
    Nvrtc nvrtc = new Nvrtc(cache, 12_060);
    for (Path file : KernelSources.files()) {
      PtxModule module = nvrtc.module(KernelSources.stem(file));
      assertEquals(PtxModule.read(module.name()).parameters(), module.parameters(), module.name());
    }
  }

  @Test
  void whatDoesNotGoTogetherIsOneLine() throws IOException {
    assertTrue(String.valueOf(assertThrows(JqloraException.class, () -> new Nvrtc(cache, 12_000)).getMessage())
        .endsWith("the NVIDIA driver serves CUDA 12.0: use the CUDA 12 toolkit of the driver's version or older"));
    TestDriver.set("driver", 11_080);
    assertEquals("the NVIDIA driver serves CUDA 11.8, kernels compiled here need 12.0: update it to 525 or newer",
        Gpu.unavailable());
    Path file = Files.createFile(cache.resolve("file"));
    assertTrue(String.valueOf(assertThrows(JqloraException.class, () -> new Nvrtc(file, 12_060).module("add"))
        .getMessage()).startsWith("cannot keep compiled kernels in " + file));
  }
}
