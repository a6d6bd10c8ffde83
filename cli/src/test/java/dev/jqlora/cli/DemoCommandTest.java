package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoCommandTest {
  private static final String HOME = "jqlora.home";

  @TempDir
  Path folder;

  @BeforeAll
  static void startFromTheProject() {
    System.setProperty(HOME, Shell.ROOT.toString());
  }

  @AfterAll
  static void forgetTheProject() {
    System.clearProperty(HOME);
  }

  @Test
  void aConfigurationIsTheRecipesButForWhatItNames() {
    String original = """
        # Stage 1
        ### The model
        # A name on the hub.
        model_name_or_path: meta-llama/Meta-Llama-3-8B
        quantization_bit: 4
        stage: pt # plain text
        cutoff_len: 1024 # tokens
        """;
    assertEquals("""
        # Made by `jqlora demo` from r.yaml.
        ### The model
        model_name_or_path: demo/base # there meta-llama/Meta-Llama-3-8B
        # quantization_bit is left out; there it is 4
        stage: pt # plain text
        cutoff_len: 128 # there 1024

        ### Only in the demo
        max_steps: 9
        """, DemoFiles.derived("r.yaml", original, Map.of("model_name_or_path", "demo/base", "cutoff_len", "128",
        "max_steps", "9", "stage", "pt"), List.of("quantization_bit")));
  }

  /** One step at rate 0 changes nothing, which the demo must notice at its very end. */
  @Test
  void everyCommandRunsAndTrainingThatDoesNotHelpIsAFailure() throws IOException {
    Shell.Result result = Shell.run("demo", "--out", folder.toString(), "max_steps=1", "logging_steps=1", "quiet=true");
    assertEquals(7, result.exitCode(), result.err());
    assertTrue(result.err().lines().toList().getLast().startsWith("jqlora: error: training did not help: held-out "
        + "perplexity went from "), result.err());
    assertEquals(7, result.out().lines().filter(line -> line.startsWith("$ jqlora ")).count(), result.out());
    for (String file : List.of("base/model.safetensors", "stage1/adapter_model.safetensors",
        "stage2/adapter_config.json", "stage2/training_loss.png", "evaluation/evaluation.json")) {
      assertTrue(Files.size(folder.resolve(file)) > 0, file);
    }
    profileOfTraining();
  }

  /** The same run again, by the demo's configuration. */
  private void profileOfTraining() {
    Shell.Result result = Shell.run("train", folder.resolve(DemoFiles.STAGE1).toString(), "--profile", "--max_steps",
        "1", "quiet=true", "output_dir=" + folder.resolve("profiled"));
    result.succeeded();
    for (String row : List.of("program +runs +seconds", "train_step +[0-9]+ ", "optimizer_step +1 ", "op +kernels",
        "AdamW[0-9a-z]* +[0-9]+ ")) {
      assertTrue(result.err().lines().anyMatch(line -> line.matches(row + ".*")), row + ": " + result.err());
    }
  }
}
