package dev.jqlora.training.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** The figures at the end: {@code train_results.json}, {@code eval_results.json}, and both in one file. */
public final class RunResults {
  private static final String ALL = "all_results.json";

  private RunResults() {}

  /**
   * Writes {@code SPLIT_results.json} and adds its figures to {@code all_results.json}, where those of the other split
   * stay. An {@code all_results.json} that cannot be read is replaced.
   *
   * @param split {@code train} or {@code eval}
   * @param figures by name, such as {@code epoch} and {@code train_loss}
   */
  public static void write(Path outputDir, String split, Map<String, Double> figures) {
    SortedMap<String, JsonNode> own = new TreeMap<>();
    figures.forEach((name, value) -> own.put(name, Numbers.json(value)));
    write(outputDir.resolve(split + "_results.json"), own);
    SortedMap<String, JsonNode> all = earlier(outputDir.resolve(ALL));
    all.putAll(own);
    write(outputDir.resolve(ALL), all);
  }

  private static SortedMap<String, JsonNode> earlier(Path file) {
    SortedMap<String, JsonNode> figures = new TreeMap<>();
    if (!Files.exists(file)) {
      return figures;
    }
    try {
      JsonObject.read(file).fields().forEach(field -> figures.put(field.getKey(), field.getValue()));
      return figures;
    } catch (JqloraException _) {
      return new TreeMap<>();
    }
  }

  private static void write(Path file, SortedMap<String, JsonNode> figures) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.setAll(figures);
    AtomicFile.write(file, JsonText.indented(json, 4));
  }
}
