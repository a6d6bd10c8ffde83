package dev.jqlora.training.train;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.training.config.TrainingArguments;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The golden run's batches as a dataset, a little text, and runs of the small Llama on them. */
final class GoldenDataset {
  /** Where the reference data are. */
  static final Path DATA = Path.of(System.getProperty("jqlora.root", "."), "..", "shared", "data");
  static final Path MODEL = DATA.resolve("stories260K");
  private static final ObjectMapper JSON = new ObjectMapper();

  private GoldenDataset() {}

  /**
   * Writes the datasets {@code golden}, tokenized and in the run's order, and {@code text} into a folder; without reference data
   * the test is skipped and says so.
   */
  static void write(Path folder) throws IOException {
    assumeTrue(Files.isDirectory(DATA), "reference data is not at " + DATA.toAbsolutePath() + ": skipped");
    StringBuilder rows = new StringBuilder();
    JsonNode golden = JSON.readTree(DATA.resolve("golden/lora/batches.json").toFile());
    for (JsonNode step : golden.get("batches")) {
      for (JsonNode micro : step) {
        for (JsonNode row : micro) {
          ObjectNode line = JSON.createObjectNode();
          line.set("input_ids", row.get("input_ids"));
          line.set("labels", row.get("labels"));
          rows.append(line).append('\n');
        }
      }
    }
    Files.writeString(folder.resolve("golden.jsonl"), rows);
    Files.writeString(folder.resolve("dataset_info.json"), """
        {"golden": {"file_name": "golden.jsonl", "formatting": "tokenized",
                    "columns": {"input_ids": "input_ids", "labels": "labels"}},
         "text": {"file_name": "text.jsonl", "columns": {"prompt": "text"}}}
        """);
    Files.writeString(folder.resolve("text.jsonl"),
        "{\"text\": \"Once upon a time there was a little girl who lived by the sea. She had a red boat.\"}\n"
            .repeat(8));
  }

  /**
   * A run on the datasets in a folder.
   *
   * @param output the run's folder in it
   * @param keys may set again what is set here, or what stands before them
   */
  static TrainingArguments arguments(Path folder, String output, List<String> keys) {
    List<String> words = new ArrayList<>(List.of("model_name_or_path=" + MODEL, "do_train=true",
        "dataset_dir=" + folder, "output_dir=" + folder.resolve(output), "learning_rate=2e-3", "lora_rank=16",
        "logging_steps=1"));
    words.addAll(keys);
    return TrainingArguments.read(null, words);
  }
}
