package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What sessions ask of the driver, and what they make of its errors. */
class CudaSessionTest {
  private static final TensorType TYPE = TensorType.f32(1000);

  @BeforeEach
  void driver() {
    TestDriver.use();
  }

  /** {@code state ← state + x}, fetched too. */
  private static Program sum() {
    Program.Builder program = new Program.Builder("sum");
    Value sum = program.graph().apply(new Add(), program.state("state", TYPE), program.feed("x", TYPE));
    return program.write("state", sum).fetch("sum", sum).build();
  }

  private static Map<String, Tensor> ones() {
    float[] ones = new float[1000];
    Arrays.fill(ones, 1);
    return Map.of("x", Tensor.of(TYPE, ones));
  }

  private static void assertNothingLeft() {
    for (String what : List.of("allocations", "streams", "events", "modules", "graphs", "contexts", "brokenFences")) {
      assertEquals(0, TestDriver.count(what), what);
    }
  }

  @Test
  void aProgramIsRecordedAtItsSecondRunAndThenLaunchedAsAWhole() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable executable = session.compile(sum());
      for (int run = 1; run <= 4; run++) {
        Tensor sum = Objects.requireNonNull(executable.run(ones()).get("sum"));
        assertEquals(run, sum.get(999));
        assertEquals(run - 1, TestDriver.count("graphLaunches"));
      }
      assertEquals(4, TestDriver.count("launches"));
    }
    assertNothingLeft();
  }

  /** The host is ahead by no more feeds than it has room for, and each run has the result of its own. */
  @Test
  void runsThatAreBegunAreDoneWhenTheirResultsAreAskedFor() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable executable = session.compile(sum());
      long waits = TestDriver.count("waits");
      List<Executable.Begun> begun = new ArrayList<>();
      float[] feed = new float[1000];
      for (int run = 1; run <= 5; run++) {
        Arrays.fill(feed, run);
        begun.add(executable.begin(Map.of("x", Tensor.of(TYPE, feed))));
        Arrays.fill(feed, Float.NaN);
        assertEquals(Math.max(0, run - 3), TestDriver.count("launches"), "when run %d was begun".formatted(run));
      }
      assertEquals(15, Objects.requireNonNull(begun.getLast().fetches().get("sum")).get(999));
      for (int run = 1; run <= 5; run++) {
        assertEquals(run * (run + 1) / 2, Objects.requireNonNull(begun.get(run - 1).fetches().get("sum")).get(999));
      }
      assertEquals(4, TestDriver.count("graphLaunches"));
      assertEquals(1, TestDriver.count("waits") - waits);
      executable.begin(ones());
    }
    assertEquals(6, TestDriver.count("launches"), "one that nobody asked for has ended too");
    assertNothingLeft();
  }

  @Test
  void aRunThatWasBegunAndFailsIsToldOfWhereItIsWaitedFor() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable executable = session.compile(sum());
      executable.run(ones());
      TestDriver.fail("cuGraphLaunch", 1, 719);
      Executable.Begun begun = executable.begin(ones());
      String launching = assertThrows(JqloraException.class, () -> executable.begin(ones())).getMessage();
      assertTrue(String.valueOf(launching).startsWith("CUDA: launching a recorded step: a kernel failed"), launching);
      String running = assertThrows(JqloraException.class, begun::fetches).getMessage();
      assertTrue(String.valueOf(running).startsWith("CUDA: running program sum: a kernel failed"), running);
    }
    assertNothingLeft();
  }

  /** Pages that all have their room stay where they are; what is evicted and comes back would have another place. */
  @ParameterizedTest
  @CsvSource({"1000000, 1, 3", "1000000, 0, 3", "8192, 1, 0", "8192, 0, 0"})
  void aProgramWithPagesIsRecordedWhereAllOfThemHaveRoom(long limit, long concurrent, long graphLaunches) {
    TestDriver.set("concurrent", concurrent);
    TensorType layers = TensorType.f32(4, 1000);
    Program.Builder doubled = new Program.Builder("doubled");
    Value states = Repeat.apply(doubled.graph(), 4, SavePolicy.NOTHING, List.of(),
        List.of(doubled.state("paged", layers)), List.of(), (graph, _, _, slices, _) -> new Repeat.Result(List.of(),
            List.of(graph.apply(new Scale(2), slices.getFirst()))))
        .getFirst();
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(limit)) {
      session.allocatePaged("paged", layers, 4);
      session.write("paged", 0, Tensor.of(layers, floats(4000)).data());
      Executable executable = session.compile(doubled.write("paged", states).build());
      for (int run = 0; run < 4; run++) {
        executable.run(Map.of());
      }
      float[] read = new float[4000];
      session.read("paged", 0, MemorySegment.ofArray(read));
      for (int i = 0; i < 4000; i++) {
        assertEquals(16 * i, read[i]);
      }
      assertEquals(graphLaunches, TestDriver.count("graphLaunches"));
      // States that need room of their own drive pages out: what was recorded is wrong from here on.
      long room = limit - session.usedBytes();
      session.allocate("more", TensorType.u8((int) room + 4000));
      executable.run(Map.of());
      session.read("paged", 0, MemorySegment.ofArray(read));
      assertEquals(32 * 3999, read[3999]);
      assertEquals(graphLaunches, TestDriver.count("graphLaunches"));
    }
    assertNothingLeft();
  }

  private static float[] floats(int count) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = i;
    }
    return floats;
  }

  @Test
  void aProfileTimesEachOpAndSoNothingIsRecorded() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Program.Builder program = new Program.Builder("update");
      Value doubled = program.graph().apply(new Scale(2), program.feed("x", TYPE));
      Value sum = program.graph().apply(new Add(), program.state("state", TYPE), doubled);
      Executable executable = session.compile(program.write("state", sum).fetch("sum", sum).build());
      Profile profile = new Profile();
      session.profile(profile);
      for (int run = 1; run <= 3; run++) {
        assertEquals(2 * run, Objects.requireNonNull(executable.run(ones()).get("sum")).get(999));
      }
      assertEquals(0, TestDriver.count("graphLaunches"));
      // Two ops' begin and end, and the two pieces of memory that feeds go through.
      assertEquals(2 * 2 + 2, TestDriver.count("events"));
      Profile.Runs runs = Objects.requireNonNull(profile.programs().get("update"));
      assertEquals(6, runs.kernels());
      assertTrue(runs.kernelNanoseconds() > 0 && runs.kernelNanoseconds() < runs.nanoseconds(), runs.toString());
      assertEquals(List.of("Scale", "Add"), List.copyOf(profile.ops().keySet()));
      assertEquals(3, Objects.requireNonNull(profile.ops().get("Add")).count());
      assertEquals(3 * TYPE.bytes(), runs.bytesIn());
    }
    assertNothingLeft();
  }

  @Test
  void aRecordingIsForgottenWhereTheArenaMoves() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable executable = session.compile(sum());
      executable.run(ones());
      executable.run(ones());
      Program.Builder larger = new Program.Builder("larger");
      TensorType type = TensorType.f32(100_000);
      Value twice = larger.graph().apply(new Add(), larger.feed("a", type), larger.feed("b", type));
      session.compile(larger.fetch("c", twice).build());
      assertEquals(3, Objects.requireNonNull(executable.run(ones()).get("sum")).get(0));
    }
    assertNothingLeft();
  }

  /** {@code c = a + b}, all of which lie in the arena. */
  private static Program feeds(String name, int elements) {
    Program.Builder program = new Program.Builder(name);
    TensorType type = TensorType.f32(elements);
    Value sum = program.graph().apply(new Add(), program.feed("a", type), program.feed("b", type));
    return program.fetch("c", sum).build();
  }

  private static void assertAdds(Executable executable, int elements) {
    TensorType type = TensorType.f32(elements);
    Tensor c = Objects.requireNonNull(executable
        .run(Map.of("a", Tensor.of(type, floats(elements)), "b", Tensor.of(type, floats(elements)))).get("c"));
    for (int i = 0; i < elements; i++) {
      assertEquals(2 * i, c.get(i));
    }
  }

  /** Each begins with what the other left in the arena. */
  @Test
  void programsTakeTurnsInOneArenaAndAnOlderOneGoesOnAfterALargerOne() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable sum = session.compile(sum());
      Executable small = session.compile(feeds("small", 300));
      Executable large = session.compile(feeds("large", 1100));
      for (int run = 1; run <= 8; run++) {
        if (run == 5) {
          large = session.compile(feeds("larger", 1100));
          assertAdds(session.compile(feeds("largest", 5000)), 5000);
        }
        assertEquals(run, Objects.requireNonNull(sum.run(ones()).get("sum")).get(999));
        assertAdds(large, 1100);
        assertAdds(small, 300);
      }
      assertEquals(session.usedBytes(), TestDriver.count("allocated"));
    }
    assertNothingLeft();
  }

  /** The account of a program that has no room is that of the programs before it, which go on. */
  @Test
  void aProgramThatTheDeviceHasNoRoomForLeavesTheOthersAsTheyWere() {
    TestDriver.set("memory", 20_000);
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable sum = session.compile(sum());
      sum.run(ones());
      sum.run(ones());
      long used = session.usedBytes();
      JqloraException thrown = assertThrows(JqloraException.class, () -> session.compile(feeds("large", 5000)));
      assertEquals(Kind.MEMORY, thrown.kind());
      assertTrue(String.valueOf(thrown.getMessage()).startsWith("CUDA: the memory of program large, "),
          thrown.getMessage());
      assertEquals(used, session.usedBytes());
      assertEquals(used, TestDriver.count("allocated"));
      assertEquals(3, Objects.requireNonNull(sum.run(ones()).get("sum")).get(999));
      assertAdds(session.compile(feeds("small", 300)), 300);
      assertAdds(session.compile(feeds("larger than the first", 1000)), 1000);
      assertEquals(4, Objects.requireNonNull(sum.run(ones()).get("sum")).get(999));
      assertEquals(session.usedBytes(), TestDriver.count("allocated"));
    }
    assertNothingLeft();
  }

  /** Not even the memory that was there before can be had again: a run says so, and goes on when it can. */
  @Test
  void anArenaThatWasLostIsAskedForAgainByTheNextRun() {
    TestDriver.set("memory", 20_000);
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable sum = session.compile(sum());
      sum.run(ones());
      TestDriver.set("memory", 5000);
      assertThrows(JqloraException.class, () -> session.compile(feeds("large", 5000)));
      assertEquals(Kind.MEMORY, assertThrows(JqloraException.class, () -> sum.run(ones())).kind());
      TestDriver.set("memory", 20_000);
      assertEquals(2, Objects.requireNonNull(sum.run(ones()).get("sum")).get(999));
    }
    assertNothingLeft();
  }

  /** Longer than the memory that it is copied through, in a state of either kind. */
  @ParameterizedTest
  @CsvSource({"false, 1", "true, 1", "true, 0"})
  void aStateLongerThanTheStagingMemoryIsWrittenAndRead(boolean paged, long concurrent) {
    TestDriver.set("checked", 0);
    TestDriver.set("concurrent", concurrent);
    TensorType type = TensorType.f32(2, 5_000_000);
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      if (paged) {
        session.allocatePaged("state", type, 2);
        Program.Builder program = new Program.Builder("touched");
        Value kept = Repeat.apply(program.graph(), 2, SavePolicy.NOTHING, List.of(),
            List.of(program.state("state", type)), List.of(),
            (graph, _, _, slices, _) -> new Repeat.Result(List.of(),
                List.of(graph.apply(new Scale(1), slices.getFirst()))))
            .getFirst();
        // On the device from here on.
        session.compile(program.write("state", kept).build()).run(Map.of());
      } else {
        session.allocate("state", type);
      }
      float[] numbers = floats(10_000_000);
      session.write("state", 0, MemorySegment.ofArray(numbers));
      session.write("state", 20_000_004, MemorySegment.ofArray(numbers).asSlice(20_000_004, 19_000_000));
      float[] read = new float[numbers.length];
      session.read("state", 0, MemorySegment.ofArray(read));
      assertEquals(-1, Arrays.mismatch(numbers, read));
    }
    assertNothingLeft();
  }

  /** A state in pages that is on the host alone may be longer than any buffer of Java's. */
  @Test
  void pageLockedMemoryMayBeLongerThan2GiB() {
    TestDriver.set("checked", 0);
    long bytes = (1L << 31) + 4096;
    try (Gpu gpu = new Gpu(0, Precision.FLOAT32)) {
      Driver.Pinned host = Driver.Pinned.allocate(bytes);
      long address = Driver.allocate(4, "memory");
      assertEquals(bytes, host.segment().byteSize());
      host.segment().set(ValueLayout.JAVA_INT, bytes - 4, 7);
      Driver.copyIn(address, host, bytes - 4, 4, gpu.stream());
      Driver.copyOut(host, bytes - 8, address, 4, gpu.stream());
      gpu.synchronize("copying");
      assertEquals(7, host.segment().get(ValueLayout.JAVA_INT, bytes - 8));
      Driver.free(address);
      host.free();
    }
    assertNothingLeft();
  }

  @Test
  void deviceMemoryIsWhatTheAccountSays() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      session.compile(sum()).run(ones());
      assertEquals(session.usedBytes(), TestDriver.count("allocated"));
      assertEquals(session.usedBytes(), TestDriver.count("peak"));
      assertEquals(session.usedBytes(), session.peakBytes());
    }
    assertNothingLeft();
  }

  @Test
  void memoryThatTheDeviceHasNotIsOneClearLine() {
    TestDriver.set("memory", 10_000);
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      JqloraException thrown = assertThrows(JqloraException.class,
          () -> session.allocate("large", TensorType.f32(2000)));
      assertEquals(Kind.MEMORY, thrown.kind());
      assertEquals(
          "CUDA: state large, 8,000 bytes where 5,968 are free: the GPU has no room for it (CUDA_ERROR_OUT_OF_MEMORY): close other"
              + " programs that use the GPU, lower device_memory so that more is paged, or lower cutoff_len",
          thrown.getMessage());
    }
    assertNothingLeft();
  }

  /** The context is gone; closing gives back what is left of it, and a new backend works. */
  @Test
  void aFailedLaunchEndsTheSessionButNotTheProcess() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable executable = session.compile(sum());
      executable.run(ones());
      TestDriver.fail("cuStreamSynchronize", 0, 719);
      JqloraException thrown = assertThrows(JqloraException.class, () -> executable.run(ones()));
      assertEquals(Kind.BACKEND, thrown.kind());
      assertTrue(String.valueOf(thrown.getMessage()).startsWith(
          "CUDA: running program sum: a kernel failed (CUDA_ERROR_LAUNCH_FAILED): the run ends here: start it again"),
          thrown.getMessage());
      assertThrows(JqloraException.class, () -> executable.run(ones()));
    }
    assertNothingLeft();
    TestDriver.use();
    aProgramIsRecordedAtItsSecondRunAndThenLaunchedAsAWhole();
  }

  /** Whatever call fails, and whenever: one line that says what to do, nothing is left behind, and the next backend works. */
  @ParameterizedTest
  @CsvSource({"cuInit, 0, 803", "cuDevicePrimaryCtxRetain, 0, 46", "cuStreamCreate, 0, 2", "cuMemAlloc_v2, 0, 2",
      "cuMemAlloc_v2, 1, 2", "cuMemsetD8Async, 0, 1", "cuMemAllocHost_v2, 0, 2", "cuMemAllocHost_v2, 1, 2",
      "cuMemAllocHost_v2, 2, 2",
      "cuModuleLoadData, 0, 222", "cuModuleLoadData, 0, 209", "cuModuleLoadData, 0, 221", "cuModuleGetFunction, 0, 500",
      "cuMemcpyHtoDAsync_v2, 1, 999", "cuMemcpyDtoHAsync_v2, 0, 304", "cuLaunchKernel, 0, 701",
      "cuLaunchKernel, 1, 719",
      "cuStreamBeginCapture_v2, 0, 900", "cuStreamEndCapture, 0, 901", "cuGraphInstantiateWithFlags, 0, 2",
      "cuGraphLaunch, 0, 700", "cuStreamSynchronize, 0, 214", "cuStreamSynchronize, 1, 702",
      "cuStreamSynchronize, 2, 716", "cuEventCreate, 0, 2", "cuEventRecord, 0, 400", "cuEventSynchronize, 0, 719",
      "cuMemAllocManaged, 0, 2", "cuMemPrefetchAsync, 0, 101"})
  void anyFailureIsOneLineThatSaysWhatToDo(String call, int after, int code) {
    TestDriver.fail(call, after, code);
    JqloraException thrown = assertThrows(JqloraException.class, CudaSessionTest::runThrice);
    String message = String.valueOf(thrown.getMessage());
    assertEquals(code == 2 ? Kind.MEMORY : Kind.BACKEND, thrown.kind());
    String line = DriverCode.explain(code, "");
    assertTrue(message.endsWith(line.substring(line.indexOf(':', 6))) && !message.contains("\n"), message);
    assertNothingLeft();
    runThrice();
    assertNothingLeft();
  }

  private static void runThrice() {
    Program.Builder twice = new Program.Builder("twice");
    Value doubled = twice.graph().apply(new Scale(2), twice.state("paged", TYPE));
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      session.allocatePaged("paged", TYPE, 1);
      session.write("state", 0, Tensor.allocate(Arena.ofAuto(), TYPE).data());
      Executable executable = session.compile(sum());
      for (int i = 0; i < 3; i++) {
        executable.run(ones());
      }
      session.compile(twice.write("paged", doubled).build()).run(Map.of());
    }
  }

  @Test
  void aThreadThatDidNotOpenTheSessionMayUseIt() throws InterruptedException {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TYPE);
      Executable executable = session.compile(sum());
      double[] first = new double[1];
      Thread thread = new Thread(
          () -> first[0] = Objects.requireNonNull(executable.run(ones()).get("sum")).get(0));
      thread.start();
      thread.join();
      assertEquals(1, first[0]);
    }
    assertNothingLeft();
  }

  @Test
  void whyNoGpuCanBeUsedIsOneClearLine() {
    assertEquals("", Gpu.unavailable());
    assertEquals("there is no NVIDIA driver (libcuda.absent): install it, or use --backend cpu",
        Gpu.unavailable("libcuda.absent"));
    TestDriver.set("devices", 0);
    assertEquals("CUDA: starting the driver: there is no NVIDIA GPU, or the process may not see it"
        + " (CUDA_ERROR_NO_DEVICE): check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --backend cpu",
        Gpu.unavailable());
    TestDriver.use();
    TestDriver.set("driver", 12_060);
    assertEquals("the NVIDIA driver serves CUDA 12.6, the kernels need 13.0: update it to 580 or newer, or have them"
        + " compiled by a CUDA 12 toolkit with JQLORA_OPTS=-Djqlora.cuda.nvrtc=true", Gpu.unavailable());
    TestDriver.use();
    TestDriver.set("capability", 75);
    assertEquals("the GPU has compute capability 7.5, the kernels need 8.0 or newer: use --backend cpu",
        Gpu.unavailable());
  }

  @Test
  void theDeviceIsDescribed() {
    try (CudaBackend backend = new CudaBackend(Precision.FLOAT32)) {
      assertEquals("test device, 8.0 GiB, compute capability 8.9, driver for CUDA 13.0", backend.device());
    }
    assertNothingLeft();
  }

  @Test
  void kernelsAreCheckedAgainstTheirParameters() {
    PtxModule add = PtxModule.read("add");
    add.check("add_f32_f32", 1L, 1, 1L, 1, 1L, 1L);
    assertThrows(IllegalArgumentException.class, () -> add.check("add_f32_f32", 1L, 1, 1L, 1, 1L));
    assertThrows(IllegalArgumentException.class, () -> add.check("add_f32_f32", 1L, 1, 1L, 1, 1L, 1));
    assertThrows(IllegalArgumentException.class, () -> add.check("subtract"));
  }
}
