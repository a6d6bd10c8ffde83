package dev.jqlora.training.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.data.DatasetEntry.Columns;
import dev.jqlora.training.data.DatasetEntry.Tags;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.TextFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code dataset_info.json}: the datasets that a configuration may name. */
final class DatasetInfo {
  static final String FILE_NAME = "dataset_info.json";

  private static final long MAX_BYTES = 16 << 20;

  private static final List<String> REMOTE_SOURCES = List.of("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url",
      "cloud_file_name");
  private static final Set<String> UNSUPPORTED_COLUMNS = Set.of("tools", "images", "videos", "audios", "chosen",
      "rejected", "kto_tag");

  private final Path folder;
  private final Path file;
  private final ObjectNode datasets;

  private DatasetInfo(Path folder, Path file, ObjectNode datasets) {
    this.folder = folder;
    this.file = file;
    this.datasets = datasets;
  }

  /**
   * Reads the description in a folder.
   *
   * @throws JqloraException {@code IO} where it is missing, {@code DATA} where it is not a JSON object
   */
  static DatasetInfo read(Path folder) {
    Path file = folder.resolve(FILE_NAME);
    if (!Files.exists(file)) {
      throw new JqloraException(Kind.IO, file + " does not exist; dataset_dir must be a folder that holds it");
    }
    String text = TextFiles.read(file, MAX_BYTES, Kind.DATA);
    return new DatasetInfo(folder, file, Json.object(text, file.toString()));
  }

  /**
   * The dataset of a name, its files found.
   *
   * @throws JqloraException {@code DATA} where it is not described, wrongly described or cannot be used here, or its
   *   files are missing
   */
  DatasetEntry entry(String name) {
    JsonNode node = datasets.get(name);
    if (node == null) {
      throw new JqloraException(Kind.DATA, file + ": no dataset " + FileErrors.quoted(name) + "; it has "
          + FileErrors.quoted(String.join(", ", datasets.propertyStream().map(Map.Entry::getKey).toList())));
    }
    if (!(node instanceof ObjectNode description)) {
      throw new JqloraException(Kind.DATA,
          file + ": " + FileErrors.quoted(name) + ": expected an object, got " + Json.describe(node));
    }
    return new Description(name, file + ": " + FileErrors.quoted(name), description).entry(folder);
  }

  /** One dataset's object, while it is being read. */
  private record Description(String name, String origin, ObjectNode node) {
    DatasetEntry entry(Path folder) {
      refuseUnsupported();
      Formatting formatting = formatting();
      return new DatasetEntry(name, origin, files(folder), formatting, columns(formatting), tags(formatting),
          numSamples());
    }

    private void refuseUnsupported() {
      for (String source : REMOTE_SOURCES) {
        if (node.hasNonNull(source)) {
          throw error(source + " is not supported: download the files into dataset_dir and name them by file_name");
        }
      }
      if (node.path("ranking").asBoolean()) {
        throw error("ranking datasets are not supported: only stages pt and sft are trained");
      }
      String split = text(node, "split", "train");
      if (!split.equals("train")) {
        throw error("split: expected \"train\" (files on disk have no other), got " + FileErrors.quoted(split));
      }
    }

    private Formatting formatting() {
      String text = text(node, "formatting", "alpaca");
      return switch (text) {
        case "alpaca" -> Formatting.ALPACA;
        case "sharegpt" -> Formatting.SHAREGPT;
        case "openai" -> Formatting.OPENAI;
        case "tokenized" -> Formatting.TOKENIZED;
        default -> throw error(
            "formatting: expected one of alpaca, sharegpt, openai, tokenized, got " + FileErrors.quoted(text));
      };
    }

    private @Nullable Integer numSamples() {
      JsonNode count = node.path("num_samples");
      if (count.isMissingNode() || count.isNull()) {
        return null;
      }
      if (!count.canConvertToInt() || !count.isIntegralNumber() || count.intValue() < 1) {
        throw error("num_samples: expected a whole number of at least 1, got " + FileErrors.quoted(count.toString()));
      }
      return count.intValue();
    }

    private Columns columns(Formatting formatting) {
      ObjectNode given = object("columns");
      if (given == null) {
        return switch (formatting) {
          case ALPACA -> new Columns("instruction", "input", "output", null, null, null, null, null, true);
          case SHAREGPT -> new Columns(null, null, null, null, null, "conversations", null, null, true);
          case OPENAI -> new Columns(null, null, null, null, null, "messages", null, null, true);
          case TOKENIZED -> new Columns(null, null, null, null, null, null, "input_ids", "labels", true);
        };
      }
      for (String column : UNSUPPORTED_COLUMNS) {
        if (given.hasNonNull(column)) {
          throw error("columns: " + column + " is not supported: rows are text, or token ids");
        }
      }
      var columns = new Columns(column(given, "prompt"), column(given, "query"), column(given, "response"),
          column(given, "history"), column(given, "system"), column(given, "messages"), column(given, "input_ids"),
          column(given, "labels"), false);
      switch (formatting) {
        case ALPACA -> require(columns.prompt(), "prompt");
        case SHAREGPT, OPENAI -> require(columns.messages(), "messages");
        case TOKENIZED -> require(columns.inputIds(), "input_ids");
      }
      return columns;
    }

    private void require(@Nullable String column, String key) {
      if (column == null) {
        throw error("columns: " + key + " is missing; a column that columns does not name is not read");
      }
    }

    private @Nullable String column(ObjectNode given, String key) {
      JsonNode value = given.path(key);
      if (value.isMissingNode() || value.isNull()) {
        return null;
      }
      if (!value.isTextual()) {
        throw error("columns: " + key + ": expected the name of a column, got " + Json.describe(value));
      }
      return value.textValue();
    }

    private Tags tags(Formatting formatting) {
      ObjectNode node = object("tags");
      ObjectNode given = node == null ? Json.MAPPER.createObjectNode() : node;
      boolean openai = formatting == Formatting.OPENAI;
      return new Tags(text(given, "role_tag", openai ? "role" : "from"),
          text(given, "content_tag", openai ? "content" : "value"), text(given, "user_tag", openai ? "user" : "human"),
          text(given, "assistant_tag", openai ? "assistant" : "gpt"),
          text(given, "observation_tag", openai ? "tool" : "observation"),
          text(given, "function_tag", "function_call"), text(given, "system_tag", "system"));
    }

    private @Nullable ObjectNode object(String key) {
      JsonNode value = node.path(key);
      if (value.isMissingNode() || value.isNull()) {
        return null;
      }
      if (value instanceof ObjectNode object) {
        return object;
      }
      throw error(key + ": expected an object, got " + Json.describe(value));
    }

    private String text(ObjectNode from, String key, String defaultValue) {
      JsonNode value = from.path(key);
      if (value.isMissingNode() || value.isNull()) {
        return defaultValue;
      }
      if (!value.isTextual()) {
        throw error(key + ": expected text, got " + Json.describe(value));
      }
      return value.textValue();
    }

    private List<Path> files(Path folder) {
      String fileName = text(node, "file_name", "");
      if (fileName.isEmpty()) {
        throw error("file_name is missing; expected a file or folder below " + folder);
      }
      Path path;
      try {
        path = folder.resolve(fileName);
      } catch (InvalidPathException e) {
        throw new JqloraException(Kind.DATA, origin + ": file_name: " + FileErrors.quoted(fileName) + " is not a path",
            e);
      }
      if (!Files.exists(path)) {
        throw error("file_name: " + path + " does not exist");
      }
      List<Path> files = Files.isDirectory(path) ? filesIn(path) : List.of(path);
      FileFormat format = FileFormat.of(files.getFirst());
      for (Path file : files) {
        if (FileFormat.of(file) != format) {
          throw error("file_name: files of one format were expected in " + path + ", got "
              + files.getFirst() + " and " + file);
        }
      }
      return files;
    }

    private List<Path> filesIn(Path directory) {
      var files = new ArrayList<Path>();
      try (var entries = Files.list(directory)) {
        entries.filter(Files::isRegularFile).filter(file -> !String.valueOf(file.getFileName()).startsWith("."))
            .sorted().forEach(files::add);
      } catch (IOException e) {
        throw FileErrors.cannotRead(directory, e);
      }
      if (files.isEmpty()) {
        throw error("file_name: the folder " + directory + " holds no files");
      }
      return files;
    }

    private JqloraException error(String complaint) {
      return new JqloraException(Kind.DATA, origin + ": " + complaint);
    }
  }
}
