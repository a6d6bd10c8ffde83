package dev.jqlora.training.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.cuda.Precision;
import dev.jqlora.engine.cuda.TestDriver;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.training.config.TrainingArguments;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Training on the CUDA backend, with the test driver for a GPU. */
class CudaTrainingTest {
  private static final long GIB = 1L << 30;

  @TempDir
  private Path work;

  @BeforeEach
  void needsDataAndDriver() throws IOException {
    GoldenDataset.write(work);
    TestDriver.use();
  }

  private TrainingArguments arguments(String stage, String output, String... more) {
    List<String> keys = new ArrayList<>(List.of("stage=" + stage,
        "dataset=" + (stage.equals("pt") ? "text" : "golden"), "per_device_train_batch_size=1",
        "gradient_accumulation_steps=1", "max_steps=3", "lora_target=all", "quantization_bit=4", "cutoff_len=32",
        "optim=paged_adamw_8bit", "plot_loss=false", "save_steps=1"));
    keys.addAll(List.of(more));
    return GoldenDataset.arguments(work, output, keys);
  }

  private static Trainer.Result run(TrainingArguments arguments, Backend backend, Recorder recorder) {
    return recorder.run(arguments, backend);
  }

  private static void assertNothingLeft() {
    for (String what : List.of("allocations", "streams", "events", "modules", "graphs", "contexts", "brokenFences")) {
      assertEquals(0, TestDriver.count(what), what);
    }
  }

  /** Stage 1, then stage 2 from its adapter: the losses are the CPU's, and the memory is the planned. */
  @Test
  void bothStagesTrain() {
    for (String stage : List.of("pt", "sft")) {
      String[] more = stage.equals("sft") ? new String[]{"adapter_name_or_path=" + work.resolve("pt")} : new String[0];
      Recorder cpu = new Recorder();
      run(arguments(stage, stage + "-cpu", more), new CpuBackend(1), cpu);
      Recorder cuda = new Recorder();
      Trainer.DeviceMemoryUse memory = run(arguments(stage, stage, more), TestDriver.unchecked(), cuda).memory();
      assertEquals(3, cuda.losses.size());
      for (int step = 0; step < 3; step++) {
        assertEquals(1, cuda.losses.get(step) / cpu.losses.get(step), 1e-4, stage + ", step " + step);
      }
      assertEquals(memory.plannedBytes(), memory.countedBytes());
      assertEquals(memory.plannedBytes(), TestDriver.count("peak"));
      assertNothingLeft();
    }
  }

  /** Of an update's work the host waits twice, whatever the micro-batches: for the gradients' norm, and for the end. */
  @Test
  void anUpdateIsOneGraphAProgramAndTwoWaits() {
    List<Long> graphLaunches = new ArrayList<>();
    List<Long> waits = new ArrayList<>();
    Recorder recorder = new Recorder() {
      @Override
      public void stepped(Step report) {
        graphLaunches.add(TestDriver.count("graphLaunches"));
        waits.add(TestDriver.count("waits"));
      }
    };
    run(arguments("pt", "graphs", "gradient_accumulation_steps=4", "save_strategy=no"), TestDriver.unchecked(),
        recorder);
    assertEquals(4 + 2, graphLaunches.get(2) - graphLaunches.get(1));
    assertEquals(2, waits.get(2) - waits.get(1));
    assertNothingLeft();
  }

  /** A kernel that fails ends the run in one line; the same command then goes on from the last checkpoint. */
  @Test
  void afterAFailedKernelARunGoesOnFromItsCheckpoint() throws IOException {
    Recorder whole = new Recorder();
    run(arguments("sft", "whole"), TestDriver.unchecked(), whole);
    Backend backend = TestDriver.unchecked();
    Recorder failed = new Recorder() {
      @Override
      public void stepped(Step report) {
        super.stepped(report);
        if (report.step() == 2) {
          TestDriver.fail("cuGraphLaunch", 0, 719);
        }
      }
    };
    JqloraException thrown = assertThrows(JqloraException.class,
        () -> run(arguments("sft", "parts", "save_steps=2"), backend, failed));
    assertEquals(JqloraException.Kind.BACKEND, thrown.kind());
    assertTrue(String.valueOf(thrown.getMessage()).contains("it resumes from its last checkpoint"),
        thrown.getMessage());
    assertNothingLeft();
    Recorder rest = new Recorder();
    run(arguments("sft", "parts", "save_steps=2"), TestDriver.unchecked(), rest);
    assertEquals(whole.losses.subList(2, 3), rest.losses);
    assertArrayEquals(Files.readAllBytes(work.resolve("whole/adapter_model.safetensors")),
        Files.readAllBytes(work.resolve("parts/adapter_model.safetensors")));
    assertNothingLeft();
  }

  /** The base is quantized on the card while it is loaded; a kernel that fails then leaves nothing behind. */
  @Test
  void aKernelThatFailsWhileLoadingEndsTheRun() {
    Backend backend = TestDriver.unchecked();
    TestDriver.fail("cuLaunchKernel", 10, 719);
    JqloraException thrown = assertThrows(JqloraException.class,
        () -> run(arguments("sft", "loading"), backend, new Recorder()));
    assertEquals(JqloraException.Kind.BACKEND, thrown.kind());
    assertTrue(String.valueOf(thrown.getMessage()).startsWith("CUDA: launching absmax_mean: "), thrown.getMessage());
    assertNothingLeft();
  }

  /** What the card has free is the limit where none is set. */
  @Test
  void aCardWithoutRoomIsRefusedBeforeAnythingIsLoaded() {
    Recorder recorder = new Recorder();
    JqloraException thrown = assertThrows(JqloraException.class, () -> run(arguments("sft", "refused"),
        TestDriver.unchecked(Map.of("memory", (256L << 20) + 500_000)), recorder));
    assertEquals(JqloraException.Kind.MEMORY, thrown.kind());
    assertTrue(String.valueOf(thrown.getMessage()).contains("the device has 488.28 KiB free: "), thrown.getMessage());
    assertEquals(500_000, Objects.requireNonNull(recorder.refused).limitBytes());
    assertEquals(0, TestDriver.count("peak"));
    assertNothingLeft();
  }

  /** Another program takes memory between the plan and the allocation. */
  @ParameterizedTest
  @ValueSource(longs = {0, 5, 60})
  void memoryThatIsGoneInTheMeantimeEndsTheRunWithTheTree(long allocations) {
    Backend backend = TestDriver.unchecked();
    TestDriver.fail("cuMemAlloc_v2", allocations, 2);
    Recorder recorder = new Recorder();
    JqloraException thrown = assertThrows(JqloraException.class,
        () -> run(arguments("sft", "full"), backend, recorder));
    assertEquals(JqloraException.Kind.MEMORY, thrown.kind());
    assertTrue(String.valueOf(thrown.getMessage()).contains("CUDA_ERROR_OUT_OF_MEMORY"), thrown.getMessage());
    assertTrue(Objects.requireNonNull(recorder.refused).fits());
    assertNothingLeft();
  }

  private static RunShape stage1Of8b() throws IOException {
    TrainingArguments arguments = TrainingArguments.read(null, List.of("model_name_or_path=llama-3-8b", "stage=pt",
        "do_train=true", "dataset=text", "eval_dataset=held_out", "eval_strategy=steps", "finetuning_type=lora",
        "lora_rank=16", "lora_target=all", "quantization_bit=4", "optim=paged_adamw_8bit", "bf16=true",
        "cutoff_len=1024", "per_device_train_batch_size=1", "per_device_eval_batch_size=1", "output_dir=out"));
    return RunShape.of(arguments, KnownConfigs.named("llama-3-8b").orElseThrow(), Optional.empty(),
        Optional.empty(), OptionalInt.empty(), DType.BF16);
  }

  /** The widest place of a layer holds half as much, until the head's is wider; docs/memory.md has the figures. */
  @Test
  void activationsInBfloat16TakeLessOfTheArena() throws IOException {
    RunShape run = stage1Of8b();
    try (Backend backend = TestDriver.unchecked(Precision.BF16, Map.of("dry", 1L))) {
      MemoryPlanner planner = new MemoryPlanner(backend);
      long rounded = planner.plan(run, Long.MAX_VALUE).arenaBytes();
      long floats = planner.plan(run.withActivations(DType.F32), Long.MAX_VALUE).arenaBytes();
      long wide = 1024L * 14336 * Short.BYTES;
      assertTrue(rounded <= floats - 2 * wide, "%,d and %,d bytes".formatted(rounded, floats));
    }
  }

  /**
   * The whole step of stage 1 at Llama 3 8B's size, everything but the work of the kernels: states, arena and pages are asked
   * for, and all launches and copies are put into the stream.
   *
   * @param pageShare of the pages that have room at once, in percent
   * @param concurrent whether the driver moves managed memory by itself
   */
  @ParameterizedTest
  @CsvSource({"100, 1", "50, 1", "50, 0"})
  void theWholeStepOf8bTakesWhatIsPlanned(int pageShare, long concurrent) throws IOException {
    RunShape run = stage1Of8b();
    // The smallest page of this run has 256 bytes: the driver moves what it is asked to move and no neighbours.
    Map<String, Long> driver = Map.of("dry", 1L, "concurrent", concurrent, "managedPage", 256L);
    try (Backend backend = TestDriver.unchecked(Precision.BF16, driver)) {
      MemoryPlanner planner = new MemoryPlanner(backend);
      MemoryPlan roomy = planner.plan(run, 8 * GIB);
      assertTrue(roomy.fits() && roomy.peakBytes() < 8 * GIB, roomy.toString());
      MemoryPlan plan = planner.plan(run, roomy.peakBytes() - roomy.pages().totalBytes() * (100 - pageShare) / 100);
      List<Trainable> trainables = run.trainables();
      TrainPrograms training = new TrainPrograms(run.layout(), trainables, run.save(), run.activations());
      List<Program> programs = List.of(training.step(run.train().total()), training.gradientNorm(),
          OptimizerProgram.of(trainables, run.optimizer()),
          TrainPrograms.evaluation(run.layout(), run.evaluation().total(), run.predictions(), run.activations()));
      try (Session session = backend.open(plan.limitBytes()); Arena arena = Arena.ofConfined()) {
        run.layout().outerStates().forEach(session::allocate);
        run.layout().layerStates().forEach(session::allocate);
        run.layout().adapterStates().forEach(session::allocate);
        trainables.forEach(trainable -> trainable.allocate(session, run.optimizer().type()));
        programs.stream().map(session::compile).toList().forEach(program -> {
          Map<String, Tensor> feeds = new HashMap<>();
          program.plan().feeds().forEach((name, feed) -> feeds.put(name, Tensor.allocate(arena, feed.type())));
          program.run(feeds);
        });
        assertEquals(plan.peakBytes(), session.peakBytes());
        long counted = TestDriver.count("peak");
        // Of managed memory as much is on the device as the pages in the pool take, which may leave gaps between them.
        long gaps = pageShare < 100 && concurrent == 1 ? plan.pages().leastBytes() : 0;
        assertTrue(counted <= plan.peakBytes() && counted >= plan.peakBytes() - gaps,
            counted + " of " + plan.peakBytes());
        assertEquals(pageShare == 100, session.paging().isNone(), session.paging().toString());
        assertTrue(TestDriver.count("launches") > 32 * 50, TestDriver.count("launches") + " launches");
      }
    }
    assertNothingLeft();
  }
}
