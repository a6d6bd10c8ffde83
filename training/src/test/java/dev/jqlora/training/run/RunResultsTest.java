package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunResultsTest {
  @TempDir
  Path folder;

  @Test
  void bothSplitsMeetInOneFile() throws IOException {
    RunResults.write(folder, "train", Map.of("train_loss", 0.5, "epoch", 3.0));
    RunResults.write(folder, "eval", Map.of("eval_loss", 0.25, "epoch", 3.0));
    assertEquals("""
        {
            "epoch": 3.0,
            "eval_loss": 0.25,
            "train_loss": 0.5
        }""", Files.readString(folder.resolve("all_results.json")));
    assertEquals("""
        {
            "epoch": 3.0,
            "train_loss": 0.5
        }""", Files.readString(folder.resolve("train_results.json")));
  }

  @Test
  void anUnreadableFileIsReplaced() throws IOException {
    Files.writeString(folder.resolve("all_results.json"), "{");
    RunResults.write(folder, "eval", Map.of("eval_loss", 0.25));
    assertEquals(Files.readString(folder.resolve("eval_results.json")), Files.readString(folder.resolve(
        "all_results.json")));
  }
}
