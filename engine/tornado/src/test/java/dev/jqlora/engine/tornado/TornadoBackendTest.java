package dev.jqlora.engine.tornado;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;
import uk.ac.manchester.tornado.api.exceptions.TornadoBailoutRuntimeException;

/** What the backend says where it cannot run. */
class TornadoBackendTest {
  /** A Java process like this one prints what it hears of the device. */
  public static void main(String[] arguments) {
    try (TornadoBackend backend = new TornadoBackend()) {
      System.out.println(backend.device());
    } catch (JqloraException e) {
      System.out.println(e.kind() + " " + e.getMessage());
    }
  }

  @Test
  void withoutADeviceItSaysWhatToDo() throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), TornadoBackendTest.class.getName()));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("OCL_ICD_VENDORS", "/nonexistent");
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), out);
    assertTrue(out.lines().anyMatch(line -> line.startsWith("BACKEND TornadoVM finds no device: install")), out);
  }

  @Test
  void aFailureIsOneLine() {
    JqloraException failure = Failure.of("run a task graph", new TornadoBailoutRuntimeException(
        "Bailout is disabled. \nReason: \u001B[31mUnable to compile task p1g1.t0 - tiles\nStacktrace: [a.B.c(B.java:1),"));
    assertEquals(JqloraException.Kind.BACKEND, failure.kind());
    assertEquals(
        "TornadoVM cannot run a task graph: Bailout is disabled. Reason: Unable to compile task p1g1.t0 - tiles;"
            + " what the driver says stands above",
        failure.getMessage());
  }

  @Test
  void aDeviceWithMemoryOfItsOwnTellsHowMuch() {
    assertEquals((8L << 30) - TornadoBackend.RESERVE,
        TornadoBackend.availableBytes(TornadoDeviceType.GPU, 8L << 30));
    assertEquals(0, TornadoBackend.availableBytes(TornadoDeviceType.ACCELERATOR, 1));
    assertEquals(Long.MAX_VALUE, TornadoBackend.availableBytes(TornadoDeviceType.CPU, 8L << 30));
  }

  @Test
  void eightBitAdamWNeedsADeviceWithDoubles() {
    TornadoKernels kernels = new TornadoKernels();
    AdamW8bit adam = new AdamW8bit(1, 0.9, 0.999, 1e-8);
    assertEquals(Support.NATIVE, kernels.supports(adam, List.of(), List.of(), true));
    assertEquals(new Support.Unsupported("the device has no 64-bit floating-point numbers, by which it is computed"),
        kernels.supports(adam, List.of(), List.of(), false));
    assertEquals(Support.NATIVE,
        kernels.supports(new Scale(2), List.of(TensorType.f32(2)), List.of(TensorType.f32(2)), false));
  }

  private static void assertRefused(String property, @Nullable String value, String reason) {
    String before = value == null ? System.clearProperty(property) : System.setProperty(property, value);
    try {
      String unavailable = new TornadoBackendProvider().unavailable();
      assertTrue(unavailable.contains(reason), unavailable);
    } finally {
      System.setProperty(property, before);
    }
  }

  @Test
  void flagsWithoutWhichResultsWouldBeWrongAreNeeded() {
    assertEquals("", new TornadoBackendProvider().unavailable());
    assertRefused("tornado.recover.bailout", "true", "-Dtornado.recover.bailout=false");
    assertRefused("tornado.tvm.maxbytecodesize", "4096", "-Dtornado.tvm.maxbytecodesize=1048576");
    String flags = "tornado.opencl.compiler.flags";
    assertRefused(flags, null, "-Dtornado.opencl.compiler.flags=-w");
    assertRefused(flags, "-cl-mad-enable -cl-fast-relaxed-math -w", "-Dtornado.opencl.compiler.flags=-w");
    assertRefused(flags, "-cl-finite-math-only", "-Dtornado.opencl.compiler.flags=-w");
    assertRefused(flags, "-cl-unsafe-math-optimizations", "-Dtornado.opencl.compiler.flags=-w");
  }
}
