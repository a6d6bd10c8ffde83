package dev.jqlora.training.data;

import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.LineReader;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A JSON object per line; blank lines are passed over. */
final class JsonLinesRows implements RowReader {
  private final LineReader lines;

  JsonLinesRows(Path file) {
    this.lines = new LineReader(file);
  }

  @Override
  public @Nullable Row next() {
    String line = lines.next();
    while (line != null && line.isBlank()) {
      line = lines.next();
    }
    return line == null ? null : new Row(Json.object(line, lines.where()), lines.where());
  }

  @Override
  public void close() {
    lines.close();
  }
}
