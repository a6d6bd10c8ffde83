package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.RandomModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlanCommandTest {
  private static final String STAGE1 = Shell.ROOT.resolve("configs/stage1_pretrain.yaml").toString();
  private static final String STAGE2 = Shell.ROOT.resolve("configs/stage2_sft.yaml").toString();
  /** A model that is quickly made. */
  private static final LlamaConfig SMALL = LlamaConfig.of(JsonObject.parse("config", """
      {"model_type": "llama", "vocab_size": 300, "hidden_size": 64, "intermediate_size": 96,
       "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}"""));

  @TempDir
  Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"llama-3-8b", "llama-3.1-8b", "llama-3.2-1b", "llama-3.2-3b", "llama-3-70b"})
  void bothStagesArePlannedForEveryKnownModel(String model) {
    for (String stage : new String[]{STAGE1, STAGE2}) {
      Shell.Result result = Shell.run("plan", stage, "--model", model, "--json");
      JsonNode plan = result.json();
      assertEquals(stage.equals(STAGE2), result.err().contains("there is no adapter in output"), result.err());
      assertTrue(plan.get("fits").booleanValue());
      assertEquals(plan.get("peak_bytes").longValue(), plan.at("/states/bytes").longValue() + plan.get("arena_bytes")
          .longValue() + plan.at("/pages/resident_bytes").longValue());
      assertEquals(4, plan.get("programs").size());
      assertEquals(1024, plan.at("/programs/0/tokens").intValue());
    }
  }

  /** The configurations name the 8B model on the hub, which nothing is fetched from. */
  @Test
  void theRecipeFitsIntoEightGibibytes() {
    String text = Shell.run("plan", STAGE1, "--device-memory", "8GiB").succeeded().out();
    for (String line : new String[]{"  weights", "      gate_proj", "        codes", "    head", "  adapters",
        "  gradients", "pages of optimizer states", "  train_step, 1,024 tokens", "    carries", "    body",
        "  gradient_norm", "  optimizer_step", "  evaluation, 1,024 tokens", "device memory at the peak",
        "It fits: "}) {
      assertTrue(text.contains("\n" + line), "no <" + line + "> in " + text);
    }
  }

  @Test
  void whatDoesNotFitIsToldWithWhatHelps() {
    String text = Shell.run("plan", STAGE1, "--device-memory", "5GiB", "disable_gradient_checkpointing=true")
        .succeeded().out();
    assertTrue(text.contains("\nIt does not fit: "), text);
    assertTrue(text.contains("\n  disable_gradient_checkpointing=false carry_dtype=float32\n    alone saves "), text);
    assertTrue(text.contains("\n  carry_dtype=bfloat16\n    saves "), text);
    assertTrue(text.contains(" of what is left; with what is above it takes "), text);
    JsonNode plan = Shell.run("plan", STAGE1, "--device-memory", "1GiB", "--json").json();
    assertFalse(plan.get("fits").booleanValue());
    assertTrue(plan.get("advice").size() > 0);
    assertEquals(1L << 30, plan.get("limit_bytes").longValue());
  }

  @Test
  void tokensStandForTheBatch() {
    JsonNode plan = Shell.run("plan", STAGE1, "--model", "llama-3.2-1b", "--tokens", "200", "--json").json();
    assertEquals(256, plan.at("/programs/0/tokens").intValue());
    Shell.run("plan", STAGE1, "--tokens", "0").failed(2, "--tokens");
  }

  /** What is expected of a model by its configuration is what its files say. */
  @Test
  void aFolderIsPlannedAsItsConfiguration() throws IOException {
    for (RandomModel.Storage storage : RandomModel.Storage.values()) {
      Path model = folder.resolve(storage.name());
      RandomModel.write(model, SMALL, storage, 1);
      for (String quantization : new String[]{"double_quantization=true", "double_quantization=false"}) {
        String[] words = {"plan", STAGE1, quantization, "--json", "--model"};
        assertEquals(planned(words, model), planned(words, model.resolve(LlamaConfig.FILE)), storage + quantization);
      }
    }
  }

  /** As Python's hub client lays it out; a model that is stored in NF4 tells it from one by configuration alone. */
  @Test
  void aFetchedModelIsFoundByItsNameRevisionAndCache() throws IOException {
    Path repo = folder.resolve("cache/models--somebody--small");
    Path snapshot = repo.resolve("snapshots/0123456789abcdef0123456789abcdef01234567");
    Files.createDirectories(repo.resolve("refs"));
    Files.writeString(repo.resolve("refs/v2"), snapshot.getFileName().toString());
    RandomModel.write(snapshot, SMALL, RandomModel.Storage.NF4, 1);
    Files.writeString(snapshot.resolve("tokenizer.json"), "{}");
    String[] words = {"plan", STAGE1, "--json", "--model", "somebody/small", "cache_dir=" + folder.resolve("cache"),
        "model_revision=v2"};
    assertEquals(planned(new String[]{"plan", STAGE1, "--json", "--model"}, snapshot),
        Shell.run(words).json().get("states"));
    words[words.length - 1] = "model_revision=v3";
    Shell.run(words).failed(5, "somebody/small");
  }

  private static JsonNode planned(String[] words, Path model) {
    String[] command = Arrays.copyOf(words, words.length + 1);
    command[words.length] = model.toString();
    return Shell.run(command).json().get("states");
  }

  @Test
  void anUnknownModelIsOneLine() {
    Shell.run("plan", STAGE1, "--model", "llama-9").failed(5, "llama-9", "llama-3-8b");
    Shell.run("plan", folder.resolve("none.yaml").toString()).failed(9, "none.yaml");
    Shell.run("plan", STAGE1, "lora_rnk=4").failed(3, "lora_rank");
    Shell.run("plan", STAGE1, "--device-memory", "much").failed(3, "device_memory");
  }

  /** What cannot be trained is not planned. */
  @Test
  void whatTrainingRefusesIsNotPlanned() throws IOException {
    RandomModel.write(folder, SMALL, RandomModel.Storage.NF4, 1);
    Shell.run("plan", STAGE1, "--model", folder.toString(), "finetuning_type=full", "quantization_bit=null")
        .failed(3, "cannot be trained whole");
    RandomModel.write(folder, SMALL, RandomModel.Storage.F32, 1);
    Path weights = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    String name = "\"model.layers.1.mlp.up_proj.weight\":{\"dtype\":\"F32\"";
    String content = new String(bytes, StandardCharsets.ISO_8859_1);
    assertTrue(content.contains(name));
    Files.write(weights, content.replace(name, name.replace("F32", "I32")).getBytes(StandardCharsets.ISO_8859_1));
    for (String quantization : new String[]{"quantization_bit=4", "quantization_bit=null"}) {
      Shell.run("plan", STAGE1, "--model", folder.toString(), quantization).failed(5, "up_proj", "I32",
          "expected F32, F16 or BF16");
    }
  }

  @Test
  void hubNamesAreKnown() {
    LlamaConfig expected = KnownConfigs.named("llama-3.2-3b").orElseThrow();
    assertEquals(expected, KnownConfigs.published("meta-llama/Llama-3.2-3B-Instruct").orElseThrow());
    assertTrue(KnownConfigs.published("meta-llama/Llama-2-7b").isEmpty());
  }

  @Test
  void theResidentSetIsReadWhereTheSystemTells() throws IOException {
    assertEquals(OptionalLong.of(1_024_000),
        ResidentSet.peakBytes("Name:\tjava\nVmHWM:\t    1000 kB\nVmRSS:\t 1 kB\n"));
    assertEquals(OptionalLong.empty(), ResidentSet.peakBytes("Name:\tjava\n"));
    if (Files.exists(Path.of("/proc/self/status"))) {
      assertTrue(ResidentSet.peakBytes().orElseThrow() > 10_000_000);
    }
  }
}
