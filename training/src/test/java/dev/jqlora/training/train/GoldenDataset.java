package dev.jqlora.training.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The golden run's batches as a dataset. */
final class GoldenDataset {
  private static final Path DATA = Path.of(System.getProperty("jqlora.root", "."), "..", "shared", "data");
  private static final ObjectMapper JSON = new ObjectMapper();

  private GoldenDataset() {}

  /** Writes the dataset {@code golden}, tokenized and in the run's order, into a folder. */
  static void write(Path folder) throws IOException {
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
                    "columns": {"input_ids": "input_ids", "labels": "labels"}}}
        """);
  }
}
