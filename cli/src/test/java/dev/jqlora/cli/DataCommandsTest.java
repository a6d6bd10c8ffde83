package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.tokenizer.BytePairTrainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands that make data and models out of nothing. */
class DataCommandsTest {
  private static final String RAW = Shell.ROOT.resolve("data_clean").toString();
  private static final String SMALL = """
      {"model_type": "llama", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
       "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true}
      """;

  @TempDir
  Path folder;

  private String path(String name) {
    return folder.resolve(name).toString();
  }

  @Test
  void preprocessMakesBothStagesData() {
    JsonNode json = Shell.run("preprocess", "--raw", RAW, "--out", path("data"), "--json").json();
    assertEquals(120, json.at("/questions/train/rows").intValue());
    assertEquals(20, json.at("/questions/test/rows").intValue());
    assertEquals(0, json.at("/duplicates/test_in_train").intValue());
    assertEquals(18, json.at("/textbooks/books").intValue());
    assertTrue(json.at("/textbooks/held_out").intValue() > 0);
    for (JsonNode file : json.get("written")) {
      assertTrue(Files.exists(Path.of(file.textValue())), file.textValue());
    }
    assertTrue(Files.exists(folder.resolve("data/dataset_info.json")));
  }

  @Test
  void preprocessMakesOnePartAlone() {
    String text = Shell.run("preprocess", "qa", "--raw", RAW, "--out", path("data"), "--options", "5").succeeded()
        .out();
    assertTrue(text.startsWith("train           120 questions, answers A "), text);
    assertTrue(text.contains("leakage           0 of test in train, 0 of dev in train, 0 of test in dev\n"), text);
    assertFalse(Files.exists(folder.resolve("data/textbooks_pretrain.jsonl")));
    Shell.run("preprocess", "textbooks", "--raw", RAW, "--out", path("text")).succeeded();
    assertFalse(Files.exists(folder.resolve("text/medqa_sft.jsonl")));
    assertTrue(Files.exists(folder.resolve("text/textbooks_pretrain.jsonl")));
  }

  @Test
  void preprocessRefusesWhatItCannotUse() {
    Shell.run("preprocess", "books").failed(2, "books");
    Shell.run("preprocess", "--raw", RAW, "--out", path("data"), "--options", "3").failed(2, "--options");
    Shell.run("preprocess", "--raw", path("none"), "--out", path("data")).failed(9, "none");
  }

  @Test
  void initMakesAModelOnce() throws IOException {
    Files.writeString(folder.resolve("small.json"), SMALL);
    String[] command = {"init", "--config", path("small.json"), "--out", path("model"), "--seed", "3", "--json"};
    JsonNode json = Shell.run(command).json();
    LlamaConfig config = LlamaConfig.read(folder.resolve("model"));
    assertEquals(config.parameters(), json.get("parameters").longValue());
    assertEquals(4 * config.parameters(), json.get("bytes").longValue());
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("model"))) {
      assertEquals(300L * 32 * 4, checkpoint.tensor("model.embed_tokens.weight").data().byteSize());
    }
    byte[] weights = Files.readAllBytes(folder.resolve("model/model.safetensors"));
    Shell.run(command).failed(9, "holds a model", "--overwrite");
    String[] again = {"init", "--config", path("small.json"), "--out", path("model"), "--seed", "4", "--overwrite",
        "--dtype", "bf16"};
    assertTrue(Shell.run(again).succeeded().out().endsWith("bytes as bf16\n"));
    assertEquals(2, (double) weights.length / Files.size(folder.resolve("model/model.safetensors")), 0.1);
  }

  @Test
  void initPutsATokenizerBeside() throws IOException {
    Path tokenizer = folder.resolve("tokenizer");
    BytePairTrainer.learn("the tokenizer of a test", 270).write(tokenizer);
    Files.writeString(folder.resolve("small.json"), SMALL);
    String[] command = {"init", "--config", path("small.json"), "--out", path("model"), "--dtype", "nf4",
        "--tokenizer", tokenizer.toString()};
    assertTrue(Shell.run(command).succeeded().out().endsWith("bytes as nf4\n"));
    for (String file : new String[]{"tokenizer.json", "tokenizer_config.json"}) {
      assertArrayEquals(Files.readAllBytes(tokenizer.resolve(file)),
          Files.readAllBytes(folder.resolve("model").resolve(file)));
    }
    Files.writeString(folder.resolve("small.json"), SMALL.replace("300", "256"));
    command[4] = path("other");
    Shell.run(command).failed(5, "ids", "vocab_size is 256");
    command[8] = path("none");
    Shell.run(command).failed(5, "none");
    assertFalse(Files.exists(folder.resolve("other")));
  }

  @Test
  void initNamesTheShapesThereAre() throws IOException {
    Shell.run("init", "--config", "llama-9", "--out", path("x")).failed(2, "llama-9", "llama-3-8b");
    Shell.run("init", "--out", path("x")).failed(2, "--config");
    Files.writeString(folder.resolve("small.json"), SMALL);
    Shell.run("init", "--config", path("small.json"), "--out", path("x"), "--dtype", "f8").failed(2, "f8", "nf4");
  }

  /** In a process of its own, whose environment names the hub's cache. */
  @Test
  void tokenizeFindsAModelThatWasFetched() throws IOException, InterruptedException {
    Path tokenizer = folder.resolve("tokenizer");
    BytePairTrainer.learn("the tokenizer of a test", 270).write(tokenizer);
    Files.writeString(folder.resolve("small.json"), SMALL);
    String commit = "0123456789abcdef0123456789abcdef01234567";
    Path model = folder.resolve("hub/models--someone--small");
    String snapshot = model.resolve("snapshots/" + commit).toString();
    Shell.run("init", "--config", path("small.json"), "--out", snapshot, "--tokenizer", tokenizer.toString())
        .succeeded();
    Files.writeString(Files.createDirectories(model.resolve("refs")).resolve("main"), commit);
    String printed = Shell
        .runProcess(Main.class, null, Map.of("HF_HUB_CACHE", path("hub")), folder, "tokenize", "--model",
            "someone/small", "the test")
        .succeeded().out();
    assertEquals(Shell.run("tokenize", "--model", tokenizer.toString(), "the test").succeeded().out(), printed);
  }
}
