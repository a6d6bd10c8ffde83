package dev.jqlora.training.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.RandomModel;
import dev.jqlora.llama.tokenizer.TokenizerFiles;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.run.Best;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs on a real small Llama, by configuration. */
class TrainerTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir
  private Path work;

  @BeforeEach
  void datasets() throws IOException {
    GoldenDataset.write(work);
  }

  private TrainingArguments arguments(String output, String... more) {
    List<String> keys = new ArrayList<>(List.of("stage=sft", "dataset=golden", "per_device_train_batch_size=2",
        "gradient_accumulation_steps=2", "max_steps=12", "weight_decay=0.01", "warmup_steps=2",
        "lr_scheduler_type=cosine", "lora_alpha=32", "disable_shuffling=true", "optim=adamw_torch", "plot_loss=true",
        "save_steps=4", "cutoff_len=2048"));
    keys.addAll(List.of(more));
    return GoldenDataset.arguments(work, output, keys);
  }

  private static Trainer.Result run(TrainingArguments arguments, int threads, int stopAfter) {
    return run(arguments, threads, new Recorder(stopAfter));
  }

  private static Trainer.Result run(TrainingArguments arguments, int threads, Recorder recorder) {
    return recorder.run(arguments, new CpuBackend(threads));
  }

  @ParameterizedTest
  @CsvSource({"float32, false, 2", "nf4, true, 1"})
  void goldenRunByConfiguration(String kind, boolean keep, int threads) throws IOException {
    List<String> more = new ArrayList<>(
        List.of("adapter_name_or_path=" + GoldenDataset.DATA.resolve("golden/lora/initial"),
            "disable_gradient_checkpointing=" + keep));
    if (kind.equals("nf4")) {
      more.add("quantization_bit=4");
    }
    Trainer.Result result = run(arguments("run", more.toArray(String[]::new)), threads, -1);
    assertEquals(12, result.steps());
    JsonNode log = JSON.readTree(GoldenDataset.DATA.resolve("golden/lora/log-" + kind + ".json").toFile());
    List<String> lines = Files.readAllLines(work.resolve("run/trainer_log.jsonl"));
    for (int i = 0; i < log.size(); i++) {
      JsonNode line = JSON.readTree(lines.get(i));
      assertEquals(1, line.get("loss").asDouble() / log.get(i).get("loss").asDouble(), 1e-4, "loss " + i);
      assertEquals(1, line.get("grad_norm").asDouble() / log.get(i).get("grad_norm").asDouble(), 1e-3, "norm " + i);
      assertEquals(log.get(i).get("learning_rate").asDouble(), line.get("lr").asDouble(), 1e-12);
    }
    for (String file : List.of("adapter_model.safetensors", "adapter_config.json", "trainer_state.json",
        "train_results.json", "all_results.json", "README.md", "tokenizer.json", "checkpoint-12/trainer_state.json")) {
      assertTrue(Files.exists(work.resolve("run").resolve(file)), file);
    }
  }

  @ParameterizedTest
  @CsvSource({"paged_adamw_8bit, 0.1, lora, true", "adamw_torch, 0, lora, false", "adamw_8bit, 0, full, false"})
  void resumedEqualsUninterruptedToTheByte(String optimizer, double dropout, String type, boolean lean)
      throws IOException {
    String[] more = {"optim=" + optimizer, "lora_dropout=" + dropout, "finetuning_type=" + type,
        "disable_shuffling=false", "num_train_epochs=1", "bf16=" + lean, "quantize_head=" + lean};
    run(arguments("whole", more), 2, -1);
    Trainer.Result stopped = run(arguments("parts", more), 1, 3);
    assertTrue(stopped.interrupted());
    assertEquals(3, stopped.steps());
    assertTrue(run(arguments("parts", more), 3, 7).interrupted());
    Trainer.Result finished = run(arguments("parts", more), 2, -1);
    assertEquals(12, finished.steps());
    String weights = type.equals("lora") ? "adapter_model.safetensors" : "model.safetensors";
    assertArrayEquals(Files.readAllBytes(work.resolve("whole").resolve(weights)),
        Files.readAllBytes(work.resolve("parts").resolve(weights)));
    assertArrayEquals(Files.readAllBytes(work.resolve("whole/checkpoint-12/optimizer.safetensors")),
        Files.readAllBytes(work.resolve("parts/checkpoint-12/optimizer.safetensors")));
    assertEquals(losses("whole"), losses("parts"));
  }

  @ParameterizedTest
  @CsvSource({"adamw_8bit, lora", "adamw_torch, full"})
  void pagedEqualsUnpagedToTheByteDownToTheLeastMemory(String unpaged, String type) throws IOException {
    String[] more = {"finetuning_type=" + type, "max_steps=3", "save_steps=3"};
    run(arguments("whole", with(more, "optim=" + unpaged)), 2, -1);
    String paged = "optim=" + (type.equals("lora") ? "paged_adamw_8bit" : "paged_adamw_32bit");
    // Kernels plan memory for each of their threads, so all that follows has as many.
    Recorder roomy = new Recorder(1);
    run(arguments("roomy", with(more, paged)), 1, roomy);
    assertTrue(roomy.moved.isEmpty());

    PagingNeeds needs = PagingNeeds.of(arguments("unused", with(more, paged)), GoldenDataset.MODEL);
    long least = roomy.deviceBytes - needs.allBytes() + needs.workingSetBytes();
    Recorder tight = new Recorder(2);
    assertTrue(run(arguments("tight", with(more, paged, "device_memory=" + least)), 1, tight).interrupted());
    assertEquals(least / 64 * 64, tight.deviceBytes / 64 * 64);
    assertEquals(needs.pages(), tight.moved.getLast().pagesIn());
    assertEquals(needs.pages(), tight.moved.getLast().pagesOut());
    run(arguments("tight", with(more, paged, "device_memory=" + (least + needs.allBytes() / 2))), 1, -1);

    String weights = type.equals("lora") ? "adapter_model.safetensors" : "model.safetensors";
    for (String file : List.of(weights, "checkpoint-3/optimizer.safetensors")) {
      assertArrayEquals(Files.readAllBytes(work.resolve("whole").resolve(file)),
          Files.readAllBytes(work.resolve("tight").resolve(file)), file);
    }
    assertEquals(losses("whole"), losses("tight"));
    String log = Files.readString(work.resolve("tight/trainer_log.jsonl"));
    assertTrue(log.lines().allMatch(line -> line.contains("pages_in")), log);

    Recorder recorder = new Recorder();
    JqloraException failure = assertThrows(JqloraException.class,
        () -> run(arguments("refused", with(more, paged, "device_memory=" + (least - 64))), 1, recorder));
    assertEquals(JqloraException.Kind.MEMORY, failure.kind());
    assertEquals(0, recorder.step);
  }

  /** What a run of every kind comes to allocate is what was planned before anything was loaded. */
  @ParameterizedTest
  @ValueSource(strings = {"optim=adamw_torch",
      "optim=adamw_8bit quantization_bit=4 bf16=true quantize_head=true do_eval=true",
      "optim=paged_adamw_8bit quantization_bit=4 double_quantization=false eval_strategy=steps eval_steps=2",
      "optim=paged_adamw_32bit disable_gradient_checkpointing=true eval_strategy=epoch compute_accuracy=true",
      "optim=adamw_8bit disable_gradient_checkpointing=true per_device_train_batch_size=1 lora_dropout=0.1",
      "finetuning_type=full optim=adamw_8bit do_eval=true per_device_eval_batch_size=16",
      "finetuning_type=full optim=adamw_torch", "do_train=false do_eval=true quantization_bit=4"})
  void plannedMemoryIsWhatIsCounted(String words) throws IOException {
    Path random = work.resolve("random");
    LlamaConfig shape = LlamaConfig.of(JsonObject.parse("config", """
        {"model_type": "llama", "vocab_size": 515, "hidden_size": 60, "intermediate_size": 101,
         "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 3, "bos_token_id": 1}"""));
    RandomModel.write(random, shape, RandomModel.Storage.BF16, 3);
    new TokenizerFiles(GoldenDataset.MODEL).copyTo(random);
    for (Path model : List.of(GoldenDataset.MODEL, random)) {
      List<String> more = new ArrayList<>(List.of("model_name_or_path=" + model, "max_steps=3", "save_strategy=no",
          "plot_loss=false", "overwrite_output_dir=true"));
      more.addAll(List.of(words.split(" ")));
      if (words.contains("eval")) {
        more.add("eval_dataset=golden");
      }
      Trainer.DeviceMemoryUse memory = run(arguments("out", more.toArray(String[]::new)), 2, -1).memory();
      assertEquals(memory.plannedBytes(), memory.countedBytes(), model.toString());
      assertTrue(memory.countedBytes() > 100_000, memory.toString());
    }
  }

  /** A run that cannot fit is refused with the reason and the remedy, and the remedy helps. */
  @Test
  void aRunThatDoesNotFitIsRefusedWithWhatMakesItFit() throws IOException {
    Recorder recorder = new Recorder();
    String limit = "device_memory=2000000";
    String[] large = {limit, "disable_gradient_checkpointing=true", "optim=adamw_torch", "save_strategy=no",
        "max_steps=2"};
    JqloraException failure = assertThrows(JqloraException.class, () -> run(arguments("out", large), 2, recorder));
    assertEquals(JqloraException.Kind.MEMORY, failure.kind());
    MemoryPlan plan = Objects.requireNonNull(recorder.refused);
    assertFalse(plan.fits());
    assertEquals(2_000_000, plan.limitBytes());
    assertEquals(0, recorder.deviceBytes);
    MemoryAdvice.Option last = recorder.advised.getLast();
    assertTrue(last.fits(), recorder.advised.toString());
    List<String> settings = new ArrayList<>(List.of(large));
    recorder.advised.forEach(option -> settings.addAll(List.of(option.setting().split(" "))));
    assertTrue(String.valueOf(failure.getMessage()).contains("set disable_gradient_checkpointing=false "),
        failure.getMessage());
    Recorder fits = new Recorder();
    Trainer.DeviceMemoryUse memory = run(arguments("out", settings.toArray(String[]::new)), 2, fits).memory();
    assertTrue(memory.countedBytes() <= 2_000_000, memory.toString());
  }

  /** What it says of both is spelled as in the configuration. */
  @Test
  void aRunDoesNotGoOnWithOtherSettings() {
    run(arguments("stopped"), 2, 1);
    Map.of("lora_alpha=16", "lora_alpha 32.0 and ", "disable_shuffling=false",
        "disable_shuffling \"true\", now it is \"false\"", "activation_dtype=bfloat16",
        "activation_dtype \"float32\", now it is \"bfloat16\"",
        "optim=paged_adamw_8bit", "optim \"adamw_torch\", now it is \"paged_adamw_8bit\"").forEach((setting, said) -> {
          JqloraException refused = assertThrows(JqloraException.class,
              () -> run(arguments("stopped", setting), 2, -1));
          assertEquals(JqloraException.Kind.CONFIG, refused.kind());
          assertTrue(String.valueOf(refused.getMessage()).contains("was saved with " + said), refused.getMessage());
        });
  }

  private static String[] with(String[] words, String... more) {
    return Stream.of(words, more).flatMap(Arrays::stream).toArray(String[]::new);
  }

  private List<String> losses(String output) throws IOException {
    List<String> losses = new ArrayList<>();
    for (String line : Files.readAllLines(work.resolve(output).resolve("trainer_log.jsonl"))) {
      JsonNode json = JSON.readTree(line);
      losses.add(json.path("current_steps") + " " + json.path("loss") + " " + json.path("grad_norm"));
    }
    return losses;
  }

  @Test
  void aFullModelIsReadBackAndImproves() throws IOException {
    Trainer.Result first = run(arguments("full", "finetuning_type=full", "learning_rate=1e-3"), 2, -1);
    Trainer.Result second = run(arguments("more", "model_name_or_path=" + work.resolve("full"), "max_steps=1"), 2, -1);
    assertTrue(second.trainLoss() < 4.529552851881936, "untrained it is 4.5296, trained " + second.trainLoss());
    assertEquals(12, first.steps());
  }

  @Test
  void aFullModelKeepsItsStopTokens() throws IOException {
    Path base = Files.createDirectory(work.resolve("base"));
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(GoldenDataset.MODEL.resolve(file), base.resolve(file));
    }
    new TokenizerFiles(GoldenDataset.MODEL).copyTo(base);
    Files.writeString(base.resolve("generation_config.json"), "{\"eos_token_id\": [2, 3]}");
    run(arguments("stops", "finetuning_type=full", "model_name_or_path=" + base, "max_steps=1"), 2, -1);
    assertEquals("{\"eos_token_id\": [2, 3]}", Files.readString(work.resolve("stops/generation_config.json")));
  }

  @Test
  void divergenceStopsTheRunInOneLine() throws IOException {
    JqloraException failure = assertThrows(JqloraException.class,
        () -> run(
            arguments("bad", "learning_rate=1e30", "warmup_steps=0", "max_grad_norm=0", "lr_scheduler_type=constant"),
            2, -1));
    assertEquals(JqloraException.Kind.NUMERICS, failure.kind());
    assertTrue(String.valueOf(failure.getMessage()).startsWith("step "), failure.getMessage());
  }

  @Test
  void evaluationStopsARunThatDoesNotImproveAndKeepsTheBest() throws IOException {
    Trainer.Result result = run(arguments("early", "val_size=8", "eval_strategy=steps", "eval_steps=1", "save_steps=1",
        "early_stopping_steps=2", "load_best_model_at_end=true", "save_total_limit=1", "learning_rate=1e-20",
        "warmup_steps=0", "max_steps=12", "compute_accuracy=true"), 2, -1);
    assertEquals(3, result.steps());
    JsonNode state = JSON.readTree(work.resolve("early/trainer_state.json").toFile());
    String best = state.get("best_model_checkpoint").asText();
    assertArrayEquals(Files.readAllBytes(Path.of(best).resolve("adapter_model.safetensors")),
        Files.readAllBytes(work.resolve("early/adapter_model.safetensors")));
    assertTrue(Files.exists(work.resolve("early/training_eval_loss.png")));
    double accuracy = JSON.readTree(work.resolve("early/eval_results.json").toFile()).get("eval_accuracy").asDouble();
    assertTrue(accuracy > 0 && accuracy < 0.9, "accuracy " + accuracy);
  }

  private TrainingArguments withoutProgress(String output, String... more) {
    return arguments(output, with(new String[]{"val_size=8", "eval_strategy=steps", "eval_steps=1", "save_steps=1",
        "load_best_model_at_end=true", "save_total_limit=1", "learning_rate=1e-20", "warmup_steps=0"}, more));
  }

  /** The rule that ended a run is asked again before the first step, with the patience that is set now. */
  @Test
  void aRunThatEndedEarlyDoesNotGoOnByItself() {
    assertEquals(3, run(withoutProgress("early", "early_stopping_steps=2"), 2, -1).steps());
    assertEquals(3, run(withoutProgress("early", "early_stopping_steps=2"), 2, -1).steps());
    assertEquals(4, run(withoutProgress("early", "early_stopping_steps=3"), 2, -1).steps());
    assertEquals(6, run(withoutProgress("early", "max_steps=6"), 2, -1).steps());
  }

  @Test
  void theBestCheckpointIsFoundInAFolderThatWasMoved() throws IOException {
    run(withoutProgress("before", "max_steps=5"), 2, 3);
    Files.move(work.resolve("before"), work.resolve("after"));
    assertEquals(5, run(withoutProgress("after", "max_steps=5"), 2, -1).steps());
    assertArrayEquals(Files.readAllBytes(work.resolve("after/checkpoint-1/adapter_model.safetensors")),
        Files.readAllBytes(work.resolve("after/adapter_model.safetensors")));
  }

  @Test
  void aBestModelThatWasNotSavedIsSaid() {
    Recorder recorder = new Recorder();
    run(withoutProgress("unsaved", "save_steps=2", "max_steps=3"), 2, recorder);
    assertTrue(recorder.notices.stream().anyMatch(line -> line.startsWith("the best evaluation is that of step 1")),
        recorder.notices.toString());
    Best best = new Best(0.9, 100, Optional.of("checkpoint-100"));
    assertEquals(Optional.of("checkpoint-100"), Best.after(Optional.of(best), 0.8, 150).checkpoint());
  }

  @Test
  void evaluatingAtTheStartLeavesTheBestOpen() throws IOException {
    run(withoutProgress("start", "eval_on_start=true", "max_steps=2"), 2, -1);
    JsonNode state = JSON.readTree(work.resolve("start/trainer_state.json").toFile());
    assertEquals(1, state.get("best_global_step").asInt());
    assertEquals(0, state.get("log_history").get(0).get("step").asInt());
  }

  /** The first as the configuration lists them, not by name. */
  @Test
  void theFirstOfSeveralEvaluationSetsDecides() throws IOException {
    Files.writeString(work.resolve("aside.jsonl"), Files.readAllLines(work.resolve("golden.jsonl")).getFirst());
    String info = Files.readString(work.resolve("dataset_info.json"));
    Files.writeString(work.resolve("dataset_info.json"), info.replaceFirst("\\{", """
        {"aside": {"file_name": "aside.jsonl", "formatting": "tokenized",
                   "columns": {"input_ids": "input_ids", "labels": "labels"}},
        """));
    run(arguments("several", "eval_dataset=golden,aside", "eval_on_each_dataset=true", "eval_strategy=steps",
        "eval_steps=1", "max_steps=1"), 2, -1);
    JsonNode state = JSON.readTree(work.resolve("several/trainer_state.json").toFile());
    double golden = state.get("log_history").findValue("eval_golden_loss").asDouble();
    assertNotEquals(state.get("log_history").findValue("eval_aside_loss").asDouble(), golden);
    assertEquals(golden, state.get("best_metric").asDouble());
    String card = Files.readString(work.resolve("several/README.md"));
    assertTrue(card.contains("| step | validation loss |") && !card.contains("NaN"), card);
  }

  @Test
  void overwritingWaitsUntilTheNewRunIsPossible() {
    run(arguments("kept", "max_steps=2", "save_steps=2"), 2, -1);
    for (String wrong : List.of("dataset=nowhere", "device_memory=1000")) {
      assertThrows(JqloraException.class, () -> run(arguments("kept", "overwrite_output_dir=true", wrong), 2, -1));
      assertTrue(Files.exists(work.resolve("kept/adapter_model.safetensors")), wrong);
      assertTrue(Files.exists(work.resolve("kept/checkpoint-2")), wrong);
    }
    run(arguments("kept", "overwrite_output_dir=true", "max_steps=1", "save_steps=1"), 2, -1);
    assertFalse(Files.exists(work.resolve("kept/checkpoint-2")));
  }

  @Test
  void aStopSavesAllEvenWhereCheckpointsAreOfTheModelOnly() {
    run(arguments("lean", "save_only_model=true", "save_steps=2"), 2, 3);
    Recorder recorder = new Recorder();
    assertEquals(12, run(arguments("lean", "save_only_model=true", "save_steps=2"), 2, recorder).steps());
    assertTrue(recorder.notices.stream().anyMatch(line -> line.contains("checkpoint-3, step 3 of 12")),
        recorder.notices.toString());
    JqloraException error = assertThrows(JqloraException.class,
        () -> run(arguments("lean", "save_only_model=true", "save_steps=2"), 2, -1));
    assertTrue(String.valueOf(error.getMessage()).contains("checkpoint-12 is the model of a finished run"),
        error.getMessage());
  }

  /** A label is an index into a row of logits, as an input id is one into the table. */
  @Test
  void aLabelThatTheModelDoesNotHaveIsRefused() throws IOException {
    LlamaConfig golden = LlamaConfig.read(GoldenDataset.MODEL);
    RandomModel.write(work.resolve("small"), LlamaConfig.of(JsonObject.parse("small", """
        {"model_type": "llama", "vocab_size": %d, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1,
         "num_attention_heads": 4}""".formatted(golden.vocabSize() - 2))), RandomModel.Storage.F32, 1);
    Files.copy(GoldenDataset.MODEL.resolve("tokenizer.json"), work.resolve("small/tokenizer.json"));
    int beyond = golden.vocabSize() - 1;
    Files.writeString(work.resolve("golden.jsonl"),
        "{\"input_ids\": [1, 2, 3], \"labels\": [-100, 2, %d]}\n".formatted(beyond));
    JqloraException error = assertThrows(JqloraException.class,
        () -> run(arguments("labels", "model_name_or_path=" + work.resolve("small")), 1, -1));
    assertTrue(String.valueOf(error.getMessage()).contains("token id " + beyond), error.getMessage());
  }

  @Test
  void sequencesBeyondTheContextAreNoted() throws IOException {
    Recorder recorder = new Recorder();
    String row = "{\"input_ids\": [%1$s], \"labels\": [%1$s]}\n".formatted("1" + ", 7".repeat(512));
    Files.writeString(work.resolve("golden.jsonl"), row);
    run(arguments("long", "max_steps=1"), 2, recorder);
    assertTrue(recorder.notices.stream().anyMatch(line -> line.contains("513 tokens, the model's context 512")),
        recorder.notices.toString());
  }

  @Test
  void aRunGoesOnWithAnotherSchedule() {
    String[] evaluating = {"val_size=8", "eval_strategy=steps", "eval_steps=1", "max_steps=4"};
    run(arguments("schedule", with(evaluating, "lr_scheduler_type=reduce_lr_on_plateau")), 2, 2);
    assertEquals(4, run(arguments("schedule", evaluating), 2, -1).steps());
  }

  @Test
  void everyMicroBatchOfARunHasADropoutSeedOfItsOwn() {
    IntStream seeds = IntStream.range(0, 100)
        .flatMap(step -> IntStream.range(0, 64).map(microBatch -> Trainer.dropoutSeed(42, step, 64, microBatch)));
    assertEquals(6400, seeds.distinct().count());
    assertNotEquals(Trainer.dropoutSeed(42, 7, 1, 0), Trainer.dropoutSeed(43, 7, 1, 0));
  }
}
