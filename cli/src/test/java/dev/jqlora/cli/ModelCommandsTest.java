package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands that read a model, on a real one. */
class ModelCommandsTest {
  @TempDir
  private Path folder;

  private static String model() {
    return Shell.data("stories260K").toString();
  }

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("text.txt"), text);
  }

  @Test
  void generatePrintsTheGoldenTexts() {
    for (JsonNode example : Shell.golden("generation.json")) {
      Shell.Result result = Shell.run("generate", "--model", model(), "--prompt", example.get("prompt").textValue(),
          "--temperature", "0", "--max-new-tokens", "100").succeeded();
      assertEquals(example.get("text").textValue() + System.lineSeparator(), result.out());
      assertEquals("", result.err());
    }
  }

  @Test
  void aProfileIsPrintedBesideTheResult() {
    String[] rest = {"--model", model(), "--prompt", "The patient", "--temperature", "0", "--max-new-tokens", "5"};
    Shell.Result plain = Shell.run(with(rest, "generate")).succeeded();
    Shell.Result profiled = Shell.run(with(rest, "generate", "--profile")).succeeded();
    assertEquals(plain.out(), profiled.out());
    assertTrue(profiled.err().startsWith("program "), profiled.err());
    assertTrue(profiled.err().contains("CachedAttention"), profiled.err());
  }

  @Test
  void generateReadsAFileOrTheStandardInput() throws IOException {
    JsonNode example = Shell.golden("generation.json").get(1);
    String prompt = example.get("prompt").textValue();
    String[] rest = {"--model", model(), "--temperature", "0", "--max-new-tokens", "20", "--json"};
    JsonNode expected = Shell.run(with(rest, "generate", "--prompt", prompt)).json();
    JsonNode fromFile = Shell.run(with(rest, "generate", "--prompt-file", file(prompt + "\n").toString())).json();
    JsonNode fromInput = Shell.runWithInput(prompt + "\n", with(rest, "generate")).json();
    for (JsonNode json : List.of(expected, fromFile, fromInput)) {
      assertEquals(expected.get("token_ids"), json.get("token_ids"));
      assertEquals(20, json.get("token_ids").size());
      assertEquals(20, json.get("new_tokens").intValue());
      assertEquals(example.get("prompt_ids").size(), json.get("prompt_tokens").intValue());
      assertEquals("length", json.get("end").textValue());
      assertTrue(example.get("text").textValue().startsWith(json.get("text").textValue()), json.toString());
      assertTrue(json.get("text").textValue().startsWith(prompt));
    }
  }

  private static String[] with(String[] rest, String... first) {
    List<String> all = new ArrayList<>(List.of(first));
    all.addAll(List.of(rest));
    return all.toArray(String[]::new);
  }

  @Test
  void generateTakesAnAdapterAndAnyBackend() {
    String adapter = Shell.data("golden/lora/final-float32").toString();
    String[] rest = {"--model", model(), "--prompt", "The patient", "--temperature", "0", "--max-new-tokens", "5",
        "--json"};
    JsonNode plain = Shell.run(with(rest, "generate")).json();
    JsonNode adapted = Shell.run(with(rest, "generate", "--adapter", adapter)).json();
    JsonNode reference = Shell.run(with(rest, "generate", "--adapter", adapter, "--backend", "reference")).json();
    assertEquals(adapted.get("token_ids"), reference.get("token_ids"));
    assertTrue(!plain.get("token_ids").equals(adapted.get("token_ids")), plain.toString());
  }

  @Test
  void generateRefusesWhatCannotBe() throws IOException {
    String[] base = {"generate", "--model", model()};
    Shell.run(with(new String[]{"--prompt", "x", "--prompt-file", "y"}, base)).failed(2, "expected one of them");
    Shell.run(with(new String[]{"--prompt", "x", "--temperature=-1"}, base)).failed(2, "temperature is -1");
    Shell.run(with(new String[]{"--prompt", "x", "--top-p", "2"}, base)).failed(2, "top_p is 2");
    Shell.run(with(new String[]{"--prompt", "x", "--max-new-tokens", "0"}, base)).failed(2, "--max-new-tokens is 0");
    Shell.run(with(new String[]{"--prompt", "x", "--max-new-tokens", "512"}, base)).failed(4, "512", "context");
    Shell.run(with(new String[]{"--prompt", "x", "--quantization-bit", "8"}, base)).failed(2, "expected 4");
    Shell.run(with(new String[]{"--prompt", "x", "--backend", "gpu"}, base)).failed(2, "no backend gpu", "cpu");
    Shell.run(with(new String[]{"--prompt", "x", "--threads", "0"}, base)).failed(2, "--threads is 0");
    Shell.run(with(new String[]{"--prompt", "x", "--device-memory", "lots"}, base)).failed(2, "--device-memory",
        "8GB");
    Shell.run(with(new String[]{"--prompt", "x", "--device-memory", "100kB"}, base)).failed(6, "limit of 100,000");
    Shell.run(with(new String[]{"--prompt", "x", "--template", "chatml"}, base)).failed(3, "template");
    Shell.run(with(new String[]{"--prompt", "x", "--system", "y"}, base)).failed(2, "--template");
    Shell.run(with(new String[]{"--prompt", "x", "--adapter", folder.toString()}, base)).failed(5, folder.toString());
    Shell.run(with(new String[]{"--prompt-file", folder.resolve("absent").toString()}, base)).failed(9, "absent");
    Files.write(folder.resolve("latin1"), "é".getBytes(StandardCharsets.ISO_8859_1));
    Shell.run(with(new String[]{"--prompt-file", folder.resolve("latin1").toString()}, base)).failed(4, "UTF-8");
    Shell.run("generate", "--model", folder.toString(), "--prompt", "x").failed(5, folder.toString());
  }

  @Test
  void perplexityAgreesWithPyTorch() throws IOException {
    for (JsonNode example : Shell.golden("nll.json")) {
      String text = file(example.get("text").textValue()).toString();
      checkPerplexity(example, "mean_nll", 1e-4, "--model", model(), "--file", text);
      checkPerplexity(example, "mean_nll_nf4", 1e-3, "--model", model(), "--file", text, "--quantization-bit", "4");
      checkPerplexity(example, "mean_nll_nf4", 1e-3, "--model", Shell.data("golden/model-bnb-4bit").toString(),
          "--tokenizer", model(), "--file", text);
    }
  }

  private static void checkPerplexity(JsonNode example, String key, double tolerance, String... args) {
    JsonNode json = Shell.run(with(args, "perplexity", "--json")).json();
    assertEquals(example.get("ids").size() - 1, json.get("tokens").intValue());
    assertEquals(example.get(key).doubleValue(), json.get("mean_nll").doubleValue(), tolerance);
    assertEquals(Math.exp(json.get("mean_nll").doubleValue()), json.get("perplexity").doubleValue(), 1e-9);
  }

  @Test
  void perplexityStatesItsWindows() throws IOException {
    JsonNode example = Shell.golden("nll.json").get(2);
    String text = example.get("text").textValue();
    Shell.Result result = Shell
        .runWithInput(text + "\n", "perplexity", "--model", model(), "--window", "100", "--stride",
            "30")
        .succeeded();
    assertTrue(result.out().contains("tokens      %d (window 100, stride 30)".formatted(example.get("ids").size() - 1)),
        result.out());
    String path = file(text).toString();
    String[] base = {"perplexity", "--model", model(), "--file", path};
    Shell.run(with(new String[]{"--window", "513"}, base)).failed(2, "--window is 513", "512");
    Shell.run(with(new String[]{"--window", "64", "--stride", "64"}, base)).failed(2, "--stride is 64");
    Shell.run("perplexity", "--model", model(), "--file", file("").toString()).failed(4, "at least 2");
  }

  @Test
  void tokenizeShowsIdsAndPieces() throws IOException {
    JsonNode json = Shell.run("tokenize", "--model", model(), "--json", "Once upon a time").json();
    assertEquals("[1,403,407,261,378]", json.get("ids").toString());
    assertEquals("[\"<s>\",\"▁Once\",\"▁upon\",\"▁a\",\"▁time\"]", json.get("pieces").toString());
    assertEquals(5, json.get("count").intValue());
    assertEquals(json, Shell.run("tokenize", "--model", model(), "--json", "--file", file("Once upon a time\n")
        .toString()).json());
    assertEquals(json, Shell.runWithInput("Once upon a time\n", "tokenize", "--model", model(), "--json").json());
    assertEquals("""
        count   4
        ids     403 407 261 378
        pieces  "▁Once" "▁upon" "▁a" "▁time"
        """, Shell.run("tokenize", "--model", model(), "--no-bos", "Once upon a time").succeeded().out());
  }

  /** A text is a text, and names no file of options. */
  @Test
  void aTextMayBeginWithAnAtSign() throws IOException {
    for (String text : List.of("@@ x", "@" + file("--no-bos"), "@" + folder)) {
      assertEquals(Shell.run("tokenize", "--model", model(), "--json", "--file", file(text).toString()).json(),
          Shell.run("tokenize", "--model", model(), "--json", text).json(), text);
    }
  }

  /** Otherwise sixteen gigabytes are fetched before a misspelt option is told; nothing is fetched here, so 8 would be told. */
  @Test
  void optionsAreLookedAtBeforeAModelIsFetched() {
    for (String command : List.of("generate", "chat", "perplexity")) {
      String[] words = {command, "--model", "nobody/no-model"};
      Shell.runWithInput("x", with(new String[]{"--backend", "gpu"}, words)).failed(2, "no backend gpu");
      Shell.runWithInput("x", with(new String[]{"--quantization-bit", "8"}, words)).failed(2, "expected 4");
      Shell.runWithInput("x", with(new String[]{"--device-memory", "lots"}, words)).failed(2, "--device-memory");
      Shell.runWithInput("x", with(new String[]{"--adapter", folder.toString()}, words)).failed(5, folder.toString());
    }
  }

  @Test
  void benchLooksAtItsFilesBeforeItMeasures() {
    Shell.run("bench", "--quick", "--json", folder.resolve("absent/x.json").toString()).failed(2, "--json", "absent");
    Shell.run("bench", "--quick", "--markdown", folder.toString()).failed(2, "--markdown");
  }

  @Test
  void chatAnswersLineByLine() {
    String[] chat = {"chat", "--model", model(), "--temperature", "0", "--max-new-tokens", "8"};
    Shell.Result once = Shell.runWithInput("Once upon a time\nexit\nnever read\n", chat).succeeded();
    assertEquals(1, once.out().lines().count(), once.out());
    assertEquals("User: Assistant: User: ", once.err());
    // After "clear" the same line has the same answer; without it, the history changes it.
    List<String> cleared = Shell.runWithInput("Once upon a time\nclear\n\nOnce upon a time", chat).succeeded().out()
        .lines().toList();
    assertEquals(List.of(once.out().strip(), once.out().strip()), cleared.stream().map(String::strip).toList());
  }

  @Test
  void chatForgetsTheOldestWhereTheContextIsFull() {
    Shell.Result result = Shell.runWithInput("Once upon a time\nThe little dog\nLily and Tom\n" + "long ".repeat(60),
        "chat", "--model", model(), "--temperature", "0", "--max-new-tokens", "8", "--context", "24", "--template",
        "default").succeeded();
    assertEquals(3, result.out().lines().count(), result.out());
    assertTrue(result.err().contains("The oldest turn is forgotten"), result.err());
    assertTrue(result.err().contains("say it in fewer words"), result.err());
  }

  @Test
  void chatForgetsNothingForALineThatIsTooLong() {
    Shell.Result result = Shell.runWithInput("Once upon a time\n" + "long ".repeat(60), "chat", "--model", model(),
        "--temperature", "0", "--max-new-tokens", "8", "--context", "24", "--template", "default").succeeded();
    assertTrue(result.err().contains("say it in fewer words"), result.err());
    assertFalse(result.err().contains("forgotten"), result.err());
  }
}
