package dev.jqlora.training.data;

import dev.jqlora.engine.error.JqloraException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The rows of a dataset file, one at a time, so that a file may be larger than memory. */
interface RowReader extends AutoCloseable {
  /**
   * The next row, or null after the last.
   *
   * @throws JqloraException {@code DATA} with file and line where there is no row, {@code IO} where the file is gone
   */
  @Nullable
  Row next();

  @Override
  void close();

  /** Opens a file by the format that its name says. */
  static RowReader open(Path file) {
    return switch (FileFormat.of(file)) {
      case JSON -> new JsonRows(file);
      case JSON_LINES -> new JsonLinesRows(file);
      case CSV -> new CsvRows(file);
      case TEXT -> new TextRows(file);
    };
  }
}
