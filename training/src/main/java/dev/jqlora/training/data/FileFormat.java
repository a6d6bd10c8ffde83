package dev.jqlora.training.data;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.nio.file.Path;
import java.util.Locale;

/** What a dataset file's extension says about its content. */
enum FileFormat {
  /** An array of objects, or objects one after another. */
  JSON,

  /** An object per line. */
  JSON_LINES,

  /** Commas, quotes, a header; every value is text. */
  CSV,

  /** A row with the column {@code text} per line, empty lines included. */
  TEXT;

  static FileFormat of(Path file) {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    return switch (name.substring(name.lastIndexOf('.') + 1)) {
      case "json" -> JSON;
      case "jsonl" -> JSON_LINES;
      case "csv" -> CSV;
      case "txt" -> TEXT;
      default -> throw new JqloraException(Kind.DATA,
          file + ": expected a file named *.json, *.jsonl, *.csv or *.txt (convert parquet and arrow to jsonl)");
    };
  }
}
