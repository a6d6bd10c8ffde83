package dev.jqlora.training.train;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The golden run's batches as a dataset, and a little text. */
final class GoldenDataset {
  /** Where the reference data are. */
  static final Path DATA = Path.of(System.getProperty("jqlora.root", "."), "..", "shared", "data");
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
}
