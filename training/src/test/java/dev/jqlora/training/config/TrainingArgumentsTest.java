package dev.jqlora.training.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.training.config.ModelArguments.Activations;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainingArgumentsTest {
  private static final String RECIPE = """
      ### model
      model_name_or_path: models/Meta-Llama-3-8B
      quantization_bit: 4
      quantization_method: bitsandbytes  # its name up to 0.9.2
      double_quantization: true
      flash_attn: fa2

      ### method
      stage: pt
      do_train: true
      finetuning_type: lora
      lora_rank: 16
      lora_alpha: 32
      lora_target: all

      ### dataset
      dataset: textbooks,extra
      template: llama3
      cutoff_len: 1024
      overwrite_cache: true
      preprocessing_num_workers: 16

      ### train
      output_dir: output/stage1
      per_device_train_batch_size: 1
      gradient_accumulation_steps: 16
      learning_rate: 1.0e-4
      num_train_epochs: 1.0
      lr_scheduler_type: cosine
      warmup_ratio: 0.03
      optim: paged_adamw_8bit
      bf16: true
      logging_steps: 10
      save_steps: 200
      plot_loss: true
      ddp_timeout: 180000000
      resume_from_checkpoint: null
      """;

  @TempDir
  Path folder;

  private TrainingArguments read(String yaml, String... words) throws IOException {
    Path file = Files.writeString(folder.resolve("run.yaml"), yaml);
    return TrainingArguments.read(file, List.of(words));
  }

  private TrainingArguments words(String... words) {
    return TrainingArguments.read(null, List.of(words));
  }

  private String complaint(String yaml, String... words) {
    var thrown = assertThrows(JqloraException.class, () -> read(yaml, words));
    assertEquals(JqloraException.Kind.CONFIG, thrown.kind());
    return String.valueOf(thrown.getMessage()).replace(folder + "/", "");
  }

  @Test
  void readsARecipeOfLlamaFactory() throws IOException {
    var run = read(RECIPE);
    assertTrue(run.model().quantized());
    assertTrue(run.model().quantization().nested());
    assertTrue(run.model().gradientCheckpointing());
    assertEquals("models/Meta-Llama-3-8B", run.model().modelNameOrPath());
    assertEquals(Stage.PT, run.finetuning().stage());
    assertEquals(16, run.finetuning().loraRank());
    assertEquals(List.of("textbooks", "extra"), run.data().dataset());
    assertTrue(run.data().packing(), "stage pt packs by itself");
    assertEquals(1024, run.data().cutoffLen(), "an implied packing does not shorten the block");
    assertEquals(1e-4, run.trainer().optimizer().learningRate());
    assertEquals(OptimizerType.PAGED_ADAMW_8BIT, run.trainer().optimizer().type());
    assertEquals(SchedulerType.COSINE, run.trainer().schedule().type());
    assertEquals(new Interval(IntervalStrategy.STEPS, 10), run.trainer().logging());
    assertInstanceOf(ResumeFrom.Automatic.class, run.trainer().resumeFrom());
    assertFalse(run.trainer().doEval());
  }

  @Test
  void saysOnceWhichKeysHaveNoEffectAndWhere() throws IOException {
    List<String> notices = read(RECIPE).notices().stream().map(line -> line.replace(folder + "/", "")).toList();
    assertEquals(List.of(
        "run.yaml:6: flash_attn has no effect here: attention is exact, causal and chosen by the backend",
        "run.yaml:20: overwrite_cache has no effect here: nothing is cached between runs",
        "run.yaml:21: preprocessing_num_workers has no effect here: rows are read and tokenized in the process itself",
        "run.yaml:36: ddp_timeout has no effect here: one process on one device trains here",
        "bf16: the backend decides how it computes (the CPU in float32); each layer's input is kept in bfloat16 for the "
            + "backward pass"),
        notices);
  }

  @Test
  void aLossThatIsNotFiniteIsNeverFiltered() {
    assertEquals(List.of(), words("model_name_or_path=m", "logging_nan_inf_filter=true").notices());
    assertEquals(List.of(
        "command line: logging_nan_inf_filter has no effect here: a loss that is not finite always ends the run"),
        words("model_name_or_path=m", "logging_nan_inf_filter=false").notices());
  }

  @Test
  void carriesAreRoundedWhereBf16OrTheirOwnKeySaysSo() {
    assertFalse(carriesRounded());
    assertTrue(carriesRounded("bf16=true"));
    assertFalse(carriesRounded("bf16=true", "carry_dtype=float32"));
    assertTrue(carriesRounded("carry_dtype=bfloat16"));
    assertFalse(carriesRounded("bf16=true", "carry_dtype=auto", "disable_gradient_checkpointing=true"));
    assertTrue(words("model_name_or_path=m", "carry_dtype=bfloat16", "disable_gradient_checkpointing=true").notices()
        .getLast().startsWith("carry_dtype has no effect"));
  }

  @Test
  void activationsFollowTheBackendWithBf16UnlessTheirOwnKeySaysMore() {
    assertEquals(Activations.FLOAT32, activations());
    assertEquals(Activations.AS_PRODUCTS, activations("bf16=true"));
    assertEquals(Activations.FLOAT32, activations("bf16=true", "activation_dtype=float32"));
    assertEquals(Activations.BFLOAT16, activations("activation_dtype=bfloat16"));
  }

  private Activations activations(String... words) {
    return words(Stream.concat(Stream.of("model_name_or_path=m"), Stream.of(words)).toArray(String[]::new)).model()
        .activations();
  }

  private boolean carriesRounded(String... words) {
    return words(Stream.concat(Stream.of("model_name_or_path=m"), Stream.of(words)).toArray(String[]::new)).model()
        .roundedCarries();
  }

  @Test
  void defaultsAreThoseOfLlamaFactory() {
    var run = words("model_name_or_path=m");
    assertEquals(new ModelArguments("m", "main", null, null, null, Quantization.NONE, true, false,
        Activations.FLOAT32), run.model());
    assertEquals(new FinetuningArguments(Stage.SFT, FinetuningType.LORA, 8, 16, 0, List.of("all"), false, null, false,
        false, null, false, false), run.finetuning());
    assertEquals(new DataArguments(List.of(), List.of(), Path.of("data"), null, 2048, null, false, false, false, false,
        0, false, MixStrategy.CONCAT, List.of(), 1000, null), run.data());
    var optimizer = new OptimizerArguments(OptimizerType.ADAMW_TORCH, 5e-5, 0, 0.9, 0.999, 1e-8, 1);
    var schedule = new ScheduleArguments(SchedulerType.LINEAR, Map.of(), 0, 0);
    var every500 = new Interval(IntervalStrategy.STEPS, 500);
    assertEquals(new TrainerArguments(Path.of("trainer_output"), false, false, false, new ResumeFrom.Automatic(), 8, 8,
        1, 3, -1, false, 42, 42, optimizer, schedule, every500, false, new Interval(IntervalStrategy.NO, 500),
        false, new SavingArguments(every500, null, false, false, "loss", false)), run.trainer());
    assertEquals(new EngineArguments(null, null, null, false), run.engine());
    assertEquals(List.of(), run.notices());
  }

  @ParameterizedTest
  @ValueSource(strings = {"1e-4", "1.0e-4", "'1e-4'", "\"1.0E-04\"", "0.0001", ".0001", "+1e-4"})
  void readsEveryFormOfANumber(String form) throws IOException {
    assertEquals(1e-4, read("model_name_or_path: m\nlearning_rate: " + form).trainer().optimizer().learningRate());
    assertEquals(1e-4,
        words("model_name_or_path=m", "learning_rate=" + form.replaceAll("['\"]", "")).trainer().optimizer()
            .learningRate());
  }

  @ParameterizedTest
  @ValueSource(strings = {"true", "True", "TRUE", "yes", "on", "'true'", "1"})
  void readsEveryFormOfTrue(String form) throws IOException {
    assertTrue(read("model_name_or_path: m\nplot_loss: " + form).finetuning().plotLoss());
  }

  @Test
  void readsListsInEveryForm() throws IOException {
    var expected = List.of("q_proj", "v_proj");
    for (String form : List.of("q_proj,v_proj", "q_proj, v_proj", "[q_proj, v_proj]", "\n  - q_proj\n  - v_proj")) {
      assertEquals(expected, read("model_name_or_path: m\nlora_target: " + form).finetuning().loraTarget(), form);
    }
    assertEquals(expected, words("model_name_or_path=m", "lora_target=[q_proj,v_proj]").finetuning().loraTarget());
  }

  @Test
  void nullMeansTheDefault() throws IOException {
    var run = read("model_name_or_path: m\nlora_rank: null\nmax_samples: ~\neval_steps:\n");
    assertEquals(8, run.finetuning().loraRank());
    assertNull(run.data().maxSamples());
    assertEquals(8, read("model_name_or_path: m\nlora_rank: 64", "lora_rank=null").finetuning().loraRank());
  }

  @Test
  void wordsWinOverTheFileInAllTheirForms() throws IOException {
    var run = read(RECIPE, "lora_rank=4", "--learning_rate", "2e-5", "--output-dir", "elsewhere",
        "--logging_first_step",
        "--max_steps=-1", "lr_scheduler_kwargs.num_cycles=2", "lr_scheduler_kwargs={lr_end: 1}", "max_steps=7");
    assertEquals(4, run.finetuning().loraRank());
    assertEquals(2e-5, run.trainer().optimizer().learningRate());
    assertEquals(Path.of("elsewhere"), run.trainer().outputDir());
    assertTrue(run.trainer().logFirstStep());
    assertEquals(Map.of("num_cycles", "2", "lr_end", "1"), run.trainer().schedule().options());
    assertEquals(7, run.trainer().maxSteps());
  }

  @Test
  void dashesMayStandForUnderscoresInTheKeyOnly() {
    assertEquals(1e-4, words("model_name_or_path=m", "--learning-rate=1e-4").trainer().optimizer().learningRate());
    assertEquals(1e-4, words("model_name_or_path=m", "--learning-rate", "1e-4").trainer().optimizer().learningRate());
    var run = words("--model-name-or-path=a-b_c", "--output-dir=d-e_f=g-h");
    assertEquals("a-b_c", run.model().modelNameOrPath());
    assertEquals(Path.of("d-e_f=g-h"), run.trainer().outputDir());
  }

  @Test
  void keysOfWordsAreThoseThatAreRead() {
    assertEquals(Set.of("stage", "do_train", "output_dir", "lr_scheduler_kwargs", "plot_loss"),
        TrainingArguments.keys(List.of("stage=pt", "--do-train=true", "--output-dir", "dataset",
            "lr_scheduler_kwargs.num_cycles=2", "--plot_loss")));
    assertEquals(Set.of(), TrainingArguments.keys(List.of()));
  }

  @Test
  void aRunTrainsOrEvaluates() throws IOException {
    Path idle = Files.writeString(folder.resolve("idle.yaml"), "model_name_or_path: m\ndo_train: false\n");
    var refused = assertThrows(JqloraException.class, () -> TrainingArguments.readRun(idle, List.of(), false));
    assertEquals(JqloraException.Kind.CONFIG, refused.kind());
    assertEquals(idle + ":2: do_train: neither do_train nor do_eval is true, so there is nothing to do; give "
        + "do_train=true to train, or do_eval=true to evaluate only", refused.getMessage());
    assertFalse(TrainingArguments.read(idle, List.of()).trainer().doTrain(), "other commands may read it");
    var words = List.of("model_name_or_path=m");
    var silent = assertThrows(JqloraException.class, () -> TrainingArguments.readRun(null, words, false));
    assertTrue(String.valueOf(silent.getMessage()).startsWith("configuration: do_train: neither "), silent.toString());
    assertTrue(TrainingArguments.readRun(idle, List.of("do_train=true", "dataset=d"), false).trainer().doTrain());
    assertTrue(TrainingArguments.readRun(idle, List.of("do_eval=true", "eval_dataset=d"), false).trainer().doEval());
    assertTrue(TrainingArguments.readRun(idle, List.of("eval_strategy=steps", "val_size=0.1"), false).trainer()
        .doEval());
  }

  @Test
  void readsJson() throws IOException {
    Path file = Files.writeString(folder.resolve("run.json"),
        "{\"model_name_or_path\": \"m\",\n\t\"learning_rate\": 1e-4, \"dataset\": [\"a\"], \"max_samples\": null,\n"
            + "\"lr_scheduler_kwargs\": {\"num_cycles\": 3}}");
    var run = TrainingArguments.read(file, List.of());
    assertEquals(1e-4, run.trainer().optimizer().learningRate());
    assertEquals(List.of("a"), run.data().dataset());
    assertEquals("3", run.trainer().schedule().options().get("num_cycles"));
  }

  @Test
  void anExplicitPackingShortensTheBlock() {
    assertEquals(2047, words("model_name_or_path=m", "packing=true").data().cutoffLen());
    assertTrue(words("model_name_or_path=m", "neat_packing=true").data().packing());
    assertEquals(2047, words("model_name_or_path=m", "neat_packing=true").data().cutoffLen());
    assertFalse(words("model_name_or_path=m", "packing=false", "stage=pt").data().packing());
  }

  @Test
  void warmupFollowsTheNewerRule() {
    assertEquals(5, words("model_name_or_path=m", "warmup_steps=5", "warmup_ratio=0.5").trainer().schedule()
        .warmupOf(100));
    assertEquals(11, words("model_name_or_path=m", "warmup_steps=0.1").trainer().schedule().warmupOf(101));
    assertEquals(4, words("model_name_or_path=m", "warmup_ratio=0.03").trainer().schedule().warmupOf(101));
    assertEquals(0, words("model_name_or_path=m").trainer().schedule().warmupOf(101));
  }

  @Test
  void sharesOfTheRunBecomeSteps() {
    var logging = words("model_name_or_path=m", "logging_steps=0.1").trainer().logging();
    assertEquals(11, logging.everySteps(101));
    assertTrue(logging.isDueAfter(22, 101));
    assertFalse(logging.isDueAfter(23, 101));
    assertEquals(1, new Interval(IntervalStrategy.STEPS, 0.001).everySteps(5));
  }

  @Test
  void readsSizes() {
    assertEquals(8_000_000_000L, words("model_name_or_path=m", "device_memory=8GB").engine().deviceMemoryBytes());
    assertEquals(8_053_063_680L, words("model_name_or_path=m", "device_memory=7.5 GiB").engine().deviceMemoryBytes());
    assertEquals(512L, words("model_name_or_path=m", "device_memory=512").engine().deviceMemoryBytes());
  }

  @Test
  void anUnknownKeyIsAnErrorWithTheNearestKey() {
    assertEquals("run.yaml:2: unknown key lora_rnak; did you mean lora_rank?",
        complaint("model_name_or_path: m\nlora_rnak: 4"));
    assertEquals("run.yaml:2: unknown key per_device_batch; docs/configuration.md lists all keys",
        complaint("model_name_or_path: m\nper_device_batch: 4"));
    assertEquals("command line: unknown key learning_rte; did you mean learning_rate?",
        complaint("model_name_or_path: m", "learning_rte=1"));
  }

  @Test
  void unknownKeysMayBeAllowed() {
    var run = TrainingArguments.read(null, List.of("model_name_or_path=m", "foo=1"), true);
    assertEquals(List.of("command line: unknown key foo is ignored (ALLOW_EXTRA_ARGS)"), run.notices());
  }

  @Test
  void aRefusedKeySaysWhatIsSupportedInstead() {
    assertEquals("run.yaml:2: use_dora: true is not supported: supported are LoRA, rsLoRA (use_rslora) and LoRA+ "
        + "(loraplus_lr_ratio)", complaint("model_name_or_path: m\nuse_dora: true"));
    assertEquals("run.yaml:2: quantization_bit: 8 is not supported: only 4-bit NF4 is built in; expected one of 4",
        complaint("model_name_or_path: m\nquantization_bit: 8"));
    assertEquals("run.yaml:2: stage: ppo is not supported: only stages pt and sft are trained; expected one of pt, sft",
        complaint("model_name_or_path: m\nstage: ppo"));
    assertEquals(List.of(), words("model_name_or_path=m", "use_dora=false", "use_galore=False").notices());
  }

  @Test
  void anAdapterDecidesItsOwnShape() {
    var run = words("model_name_or_path=m", "adapter_name_or_path=out", "adapter_folder=checkpoint-5", "lora_rank=4");
    assertEquals(Path.of("out/checkpoint-5"), run.model().adapter());
    assertEquals(1, run.notices().size());
    assertTrue(run.notices().getFirst().contains("lora_rank"));
  }

  @Test
  void distanceCountsLetters() {
    assertEquals(0, EditDistance.between("abc", "abc"));
    assertEquals(3, EditDistance.between("", "abc"));
    assertEquals(1, EditDistance.between("abc", "acb"));
    assertEquals(2, EditDistance.between("abcd", "xbcde"));
  }
}
