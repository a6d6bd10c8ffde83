package dev.jqlora.training.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.train.MemoryAdvice.Option;
import dev.jqlora.training.train.MemoryPlan.Part;
import dev.jqlora.training.train.MemoryPlan.ProgramMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryPlannerTest {
  private static final long GIB = 1L << 30;

  private final Backend backend = new CpuBackend(1);
  private final MemoryPlanner planner = new MemoryPlanner(backend);

  @AfterEach
  void close() {
    backend.close();
  }

  private static RunShape run(String model, String... more) {
    List<String> words = new ArrayList<>(List.of("model_name_or_path=" + model, "stage=pt", "do_train=true",
        "dataset=text", "eval_dataset=held_out", "eval_strategy=steps", "finetuning_type=lora", "lora_rank=16",
        "lora_target=all", "quantization_bit=4", "optim=paged_adamw_8bit", "cutoff_len=1024",
        "per_device_train_batch_size=1", "per_device_eval_batch_size=1", "output_dir=out"));
    words.addAll(List.of(more));
    return RunShape.of(TrainingArguments.read(null, words), KnownConfigs.named(model).orElseThrow(), Optional.empty(),
        Optional.empty(), OptionalInt.empty(), DType.F32);
  }

  private static void checkSums(Part part) {
    assertTrue(part.bytes() >= 0, part.toString());
    if (!part.parts().isEmpty()) {
      assertEquals(part.bytes(), part.parts().stream().mapToLong(Part::bytes).sum(), part.name());
      part.parts().forEach(MemoryPlannerTest::checkSums);
    }
  }

  @Test
  void everyByteHasAName() {
    for (String model : KnownConfigs.all().keySet()) {
      MemoryPlan plan = planner.plan(run(model), Long.MAX_VALUE);
      checkSums(plan.states());
      assertEquals(List.of("train_step", "gradient_norm", "optimizer_step", "evaluation"),
          plan.programs().stream().map(ProgramMemory::name).toList());
      for (ProgramMemory program : plan.programs()) {
        checkSums(program.arena());
        assertEquals(program.arenaBytes(), program.arena().bytes(), model + " " + program.name());
      }
      assertEquals(plan.states().bytes() + plan.arenaBytes() + plan.pages().totalBytes(), plan.peakBytes());
      assertTrue(plan.fits());
    }
  }

  /** 8 billion weights in 8 GB: the recipe's promise. */
  @Test
  void eightBillionWeightsFitInEightGibibytes() {
    MemoryPlan plan = planner.plan(run("llama-3-8b"), 8 * GIB);
    assertTrue(plan.fits());
    // 6,979,321,856 quantized weights of 4 + 8/64 + 32/16384 bits; alignment and each matrix's map and offset besides.
    Part projections = plan.states().parts().getFirst().parts().getFirst();
    assertEquals(6_979_321_856L * (4 + 8.0 / 64 + 32.0 / 16_384) / 8, projections.bytes(), 400_000);
    // 41,943,040 adapter weights, their gradients, and two moments of a byte each with a scale for 256.
    assertEquals(2 * 4 * 41_943_040L, plan.states().parts().stream().skip(1).mapToLong(Part::bytes).sum());
    assertEquals(2 * 41_943_040L * (1 + 4.0 / 256), plan.pages().totalBytes(), 20_000);
  }

  /** A run's largest programs are compiled first; shorter batches must then find room in their arena. */
  @Test
  void shorterBatchesNeedNoMore() {
    long last = 0;
    for (int tokens = 16; tokens <= 2048; tokens += tokens < 64 ? 16 : 64) {
      long arena = planner.plan(run("llama-3.2-1b", "cutoff_len=" + tokens), Long.MAX_VALUE).arenaBytes();
      assertTrue(arena >= last, tokens + " tokens");
      last = arena;
    }
  }

  @Test
  void pagesGiveWayDownToTheLeast() {
    RunShape run = run("llama-3.2-1b");
    MemoryPlan all = planner.plan(run, Long.MAX_VALUE);
    MemoryPlan half = planner.plan(run, all.peakBytes() - all.pages().totalBytes() / 2);
    assertTrue(half.fits());
    assertEquals(half.limitBytes() / 64 * 64, half.peakBytes());
    assertEquals(all.leastBytes(), planner.plan(run, all.leastBytes()).peakBytes());
    assertFalse(planner.plan(run, all.leastBytes() - 1).fits());
  }

  /** Smaller batches of the evaluation change eval_loss, so they are advised only where the evaluation is too large. */
  @Test
  void eachBatchSizeIsAdvisedWhereItHelps() {
    long one = planner.plan(run("llama-3.2-1b"), Long.MAX_VALUE).leastBytes();
    assertEquals(List.of("per_device_train_batch_size=1"), advised(one, "per_device_train_batch_size=4"));
    assertEquals(List.of("per_device_eval_batch_size=1"), advised(one, "per_device_eval_batch_size=16"));
    assertEquals(List.of("per_device_train_batch_size=1", "per_device_eval_batch_size=1"),
        advised(one, "per_device_train_batch_size=8", "per_device_eval_batch_size=16"));
    assertEquals(List.of("per_device_eval_batch_size=1", "per_device_train_batch_size=1"),
        advised(one, "per_device_train_batch_size=2", "per_device_eval_batch_size=16"));
  }

  private List<String> advised(long limit, String... settings) {
    return MemoryAdvice.of(planner, run("llama-3.2-1b", settings), limit).stream().map(Option::setting).toList();
  }

  /** Each figure is that of the plan with the setting, read as a user would give it. */
  @Test
  void adviceSavesWhatItSays() {
    String[] dear = {"disable_gradient_checkpointing=true", "optim=adamw_torch", "per_device_train_batch_size=4",
        "double_quantization=false"};
    long limit = 6 * GIB;
    RunShape run = run("llama-3-8b", dear);
    MemoryPlan plan = planner.plan(run, limit);
    List<Option> advice = MemoryAdvice.of(planner, run, limit);
    assertTrue(advice.size() > 2 && advice.getLast().fits(), advice.toString());
    assertEquals("disable_gradient_checkpointing=false carry_dtype=float32", advice.getFirst().setting());
    List<String> settings = new ArrayList<>(List.of(dear));
    for (Option option : advice) {
      List<String> alone = new ArrayList<>(List.of(dear));
      alone.addAll(List.of(option.setting().split(" ")));
      assertTrue(option.alone(), option.setting());
      assertEquals(plan.leastBytes() - option.savedBytes(), least(alone, limit), option.setting());
      settings.addAll(List.of(option.setting().split(" ")));
      assertEquals(option.leastBytes(), least(settings, limit), option.setting());
      assertEquals(option.leastBytes() <= limit, option.fits());
    }
    assertTrue(MemoryAdvice.line(advice).startsWith(
        "set disable_gradient_checkpointing=false carry_dtype=float32 per_device_train"));
  }

  /** A run that computes no layer twice keeps no carries to round: only with the first option the second saves. */
  @Test
  void whatHelpsOnlyAfterAnotherIsAdvised() {
    long checkpointed = least(List.of("carry_dtype=float32"), Long.MAX_VALUE);
    long limit = least(List.of("carry_dtype=bfloat16"), Long.MAX_VALUE);
    assertTrue(limit < checkpointed);
    List<Option> advice = MemoryAdvice.of(planner, run("llama-3-8b", "disable_gradient_checkpointing=true"), limit);
    assertEquals(List.of("disable_gradient_checkpointing=false carry_dtype=float32", "carry_dtype=bfloat16"),
        advice.stream().map(Option::setting).toList());
    assertEquals(List.of(true, false), advice.stream().map(Option::alone).toList());
    assertEquals(checkpointed, advice.getFirst().leastBytes());
    assertEquals(checkpointed - limit, advice.getLast().savedBytes());
    assertEquals(limit, advice.getLast().leastBytes());
    assertTrue(advice.getLast().fits());
    assertEquals("set disable_gradient_checkpointing=false carry_dtype=bfloat16", MemoryAdvice.line(advice));
  }

  private long least(List<String> settings, long limit) {
    return planner.plan(run("llama-3-8b", settings.toArray(String[]::new)), limit).leastBytes();
  }

  @Test
  void whatNeverFitsIsSaid() {
    List<Option> advice = MemoryAdvice.of(planner, run("llama-3-70b"), 8 * GIB);
    assertFalse(advice.getLast().fits());
    assertTrue(MemoryAdvice.line(advice).startsWith("choose a smaller model: "));
  }

  @Test
  void bytesAreReadable() {
    assertEquals("0 B", MemoryPlan.text(0));
    assertEquals("1023 B", MemoryPlan.text(1023));
    assertEquals("1.00 KiB", MemoryPlan.text(1024));
    assertEquals("3.35 GiB", MemoryPlan.text(3_600_647_040L));
  }
}
