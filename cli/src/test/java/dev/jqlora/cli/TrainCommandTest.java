package dev.jqlora.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The words after {@code train}. */
class TrainCommandTest {
  @TempDir
  private Path folder;

  private String yaml = "";

  @BeforeEach
  void writeConfiguration() throws IOException {
    yaml = Files.writeString(folder.resolve("run.yaml"), "model_name_or_path: %s\noutput_dir: %s\n".formatted(folder
        .resolve("model"), folder.resolve("out"))).toString();
  }

  @Test
  void keysMayBeWrittenAsWordsOrAsOptions() {
    Shell.run("train", yaml, "lora_rnk=4").failed(3, "lora_rnk", "lora_rank");
    Shell.run("train", yaml, "--lora_rnk", "4").failed(3, "lora_rnk", "lora_rank");
    Shell.run("train", yaml, "--threads", "many").failed(3, "threads", "many");
    Shell.run("train", yaml, "--threads=0").failed(3, "threads", "0");
  }

  @Test
  void aConfigurationThatIsNotThereIsOneLine() {
    Shell.run("train", folder.resolve("absent.yaml").toString()).failed(9, "absent.yaml");
  }
}
