package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command on a real, tiny model with real questions and adapters. */
class EvaluateCommandTest {
  @TempDir
  private Path folder;

  private static String model() {
    return Shell.data("stories260K").toString();
  }

  private static String questions() {
    return Shell.data("medqa/test.jsonl").toString();
  }

  private Path yaml(String name, String model, Path output) throws IOException {
    return Files.writeString(folder.resolve(name), """
        model_name_or_path: %s
        quantization_bit: 4
        stage: sft
        do_train: true
        dataset: medqa_sft
        dataset_dir: %s
        template: alpaca
        output_dir: %s
        """.formatted(model, folder.resolve("data"), output));
  }

  @Test
  void adaptersAreCompared() {
    String[] command = {"evaluate", "--model", model(), "--stage1", Shell.data("golden/lora/initial").toString(),
        "--adapter", "mine=" + Shell.data("golden/lora/final-float32"), "--questions", questions(), "--limit", "2",
        "--output", folder.toString()};
    Shell.Result result = Shell.run(command).succeeded();
    assertTrue(result.out().lines().findFirst().orElse("").matches("variant +MedQA harness, 95 % interval"), result
        .out());
    assertTrue(result.out().contains("only stage1 right"), result.out());
    assertTrue(result.err().contains("mine: "), result.err());
    JsonNode json = Shell.run(withJson(command)).json();
    assertEquals(3, json.path("variants").size());
    assertEquals("none", json.path("quantization").asText());
    assertTrue(json.path("text").isMissingNode());
  }

  private static String[] withJson(String... command) {
    String[] longer = Arrays.copyOf(command, command.length + 2);
    longer[command.length] = "--json";
    longer[command.length + 1] = "--quiet";
    return longer;
  }

  @Test
  void configurationsSayWhatIsCompared() throws IOException {
    Files.createDirectories(folder.resolve("data"));
    Files.copy(Path.of(questions()), folder.resolve("data/medqa_test.jsonl"));
    Files.writeString(folder.resolve("data/textbooks_heldout.jsonl"), "{\"text\": \"Once upon a time.\"}\n");
    Path first = yaml("1.yaml", model(), folder.resolve("none"));
    Path second = yaml("2.yaml", model(), Shell.data("golden/lora/final-nf4"));
    String[] command = {"evaluate", first.toString(), second.toString(), "--limit", "2", "--output", folder.resolve(
        "out").toString()};
    Shell.Result result = Shell.run(command).succeeded();
    assertTrue(result.err().contains("stage 1 is left out"), result.err());
    JsonNode json = Shell.run(withJson(command)).json();
    assertEquals("nf4, double quantization", json.path("quantization").asText());
    assertEquals("stage2", json.at("/variants/1/name").asText());
    assertEquals(2, json.at("/variants/1/medqa/template/n").asInt());
    assertEquals("alpaca", json.at("/questions/forms/template/template").asText());
    assertEquals(1, json.at("/text/documents").asInt());
    assertEquals(json.toString(),
        new ObjectMapper().readTree(folder.resolve("out/evaluation.json").toFile()).toString());
  }

  @Test
  void mistakesAreOneLine() {
    Shell.run("evaluate", "--model", model()).failed(2, "--questions or --text");
    Shell.run("evaluate", "--model", model(), "--questions", questions(), "--forms", "chat").failed(2, "--forms",
        "harness or template", "chat");
    Shell.run("evaluate", "--model", model(), "--questions", questions(), "--forms", "template").failed(2,
        "--template");
    Shell.run("evaluate", "--model", model(), "--questions", questions(), "--quantization-bit", "8").failed(2,
        "expected 4");
    Shell.run("evaluate", "--model", model(), "--questions", "no.jsonl", "--output", folder.toString()).failed(9,
        "no.jsonl");
    Shell.run("evaluate", "--model", model(), "--questions", questions(), "--stage1", folder.toString(), "--output",
        folder.toString()).failed(5, "adapter_config.json");
    Shell.run("evaluate", "--model", model(), "--questions", questions(), "--adapter", "base=x").failed(2,
        "same name");
  }
}
