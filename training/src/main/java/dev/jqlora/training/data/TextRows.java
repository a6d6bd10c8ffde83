package dev.jqlora.training.data;

import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.LineReader;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A row with the one column {@code text} per line, empty lines included, as LLaMA-Factory's loader makes them. */
final class TextRows implements RowReader {
  static final String COLUMN = "text";

  private final LineReader lines;

  TextRows(Path file) {
    this.lines = new LineReader(file);
  }

  @Override
  public @Nullable Row next() {
    String line = lines.next();
    return line == null ? null : new Row(Json.MAPPER.createObjectNode().put(COLUMN, line), lines.where());
  }

  @Override
  public void close() {
    lines.close();
  }
}
