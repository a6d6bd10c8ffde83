package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUmodule;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is wrong in a kernel is found by the test driver: {@code faulty.cu} has one fault a kernel. */
class FaultyKernelTest {
  private static final int BYTES = 64 * Float.BYTES;

  @BeforeEach
  void driver() {
    TestDriver.use();
  }

  /** Runs a kernel that takes 64 floats and makes 64 of them. */
  private static void run(String kernel) {
    String ptx = """
        .version 9.0
        .target sm_80
        .address_size 64
        .visible .entry %s(
        .param .u64 x,
        .param .u64 y
        )
        {
        }
        """.formatted(kernel);
    try (Gpu gpu = new Gpu(0, Precision.FLOAT32)) {
      CUmodule module = Driver.load((ptx + "\0").getBytes(StandardCharsets.UTF_8), kernel);
      long x = Driver.allocate(BYTES, "x");
      long y = Driver.allocate(BYTES, "y");
      Driver.fill(x, 0x3f800000, Float.BYTES, 64, gpu.stream());
      Pointer arguments = Pointer.to(Pointer.to(new long[]{x}), Pointer.to(new long[]{y}));
      Driver.launch(Driver.function(module, kernel), kernel, Grid.of(1), 64, gpu.stream(), arguments);
      gpu.synchronize("running " + kernel);
      Driver.free(x);
      Driver.free(y);
      Driver.unload(module);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sound_reverse", "sound_copy"})
  void whatIsRightPasses(String kernel) {
    run(kernel);
    assertEquals(0, TestDriver.count("allocations"));
  }

  @ParameterizedTest
  @CsvSource({"missing_barrier, race on byte", "missing_barrier_before_reuse, race on byte",
      "two_writers, race on byte",
      "barrier_of_some, divergence", "barriers_apart, divergence", "lanes_apart, divergence",
      "reads_too_far, reads 4 bytes", "writes_too_far, writes 4 bytes", "writes_before, writes 4 bytes",
      "copy_not_waited_for, before the copy to it was waited for",
      "copy_waited_for_by_one_alone, race on byte"})
  void whatIsWrongEndsInAnErrorThatSaysSo(String kernel, String complaint) {
    assertThrows(JqloraException.class, () -> run(kernel));
    assertTrue(TestDriver.complaint().startsWith(kernel) && TestDriver.complaint().contains(complaint),
        TestDriver.complaint());
  }

  @Test
  void memoryIsGivenBackOnceAndByItsAddress() {
    try (Gpu gpu = new Gpu(0, Precision.FLOAT32)) {
      long address = Driver.allocate(100, "memory");
      assertThrows(JqloraException.class, () -> Driver.free(address + 1));
      assertThrows(JqloraException.class, () -> Driver.fill(address + 90, 0, 1, 11, gpu.stream()));
      assertThrows(JqloraException.class, () -> Driver.copy(address, address + 50, 51, gpu.stream()));
      Driver.free(address);
      assertThrows(JqloraException.class, () -> Driver.free(address));
    }
  }

  @Test
  void whatIsAskedOfAStreamIsDoneWhenItIsWaitedFor() {
    try (Gpu gpu = new Gpu(0, Precision.FLOAT32)) {
      Driver.Pinned host = Driver.Pinned.allocate(4);
      long address = Driver.allocate(4, "memory");
      Driver.fill(address, 7, Integer.BYTES, 1, gpu.stream());
      Driver.copyOut(host, 0, address, 4, gpu.stream());
      host.segment().set(java.lang.foreign.ValueLayout.JAVA_INT, 0, 1);
      assertEquals(1, host.segment().get(java.lang.foreign.ValueLayout.JAVA_INT, 0));
      gpu.synchronize("waiting");
      assertEquals(7, host.segment().get(java.lang.foreign.ValueLayout.JAVA_INT, 0));
      Driver.free(address);
      host.free();
    }
  }

  @Test
  void staleCodeIsRefused() {
    for (String parameters : List.of(".param .u64 x", ".param .u64 x, .param .u32 y")) {
      byte[] image = (".version 9.0\n.target sm_80\n.visible .entry sound_copy(%s)\n{}\n\0".formatted(parameters))
          .getBytes(StandardCharsets.UTF_8);
      try (Gpu gpu = new Gpu(0, Precision.FLOAT32)) {
        assertEquals("test device", Driver.name(Driver.device(0)));
        assertThrows(JqloraException.class, () -> Driver.load(image, "sound_copy"), gpu::describe);
      }
    }
  }
}
