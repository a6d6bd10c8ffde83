package dev.jqlora.training.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.LineReader;
import dev.jqlora.training.files.TextFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Held-out text: of a JSONL file each row's {@code text} is a document, any other file is one document. A line break at
 * the very end of a file is no part of it.
 *
 * @param texts none is blank
 */
record TextDocuments(List<String> texts) {
  private static final long MAX_BYTES = 256L << 20;

  /**
   * Reads files in the order given.
   *
   * @throws JqloraException {@code DATA} with file and line for a row without text, or where there is no text at all
   */
  static TextDocuments read(List<Path> files) {
    var texts = new ArrayList<String>();
    for (Path file : files) {
      if (String.valueOf(file.getFileName()).endsWith(".jsonl")) {
        addRows(file, texts);
      } else {
        texts.add(TextFiles.read(file, MAX_BYTES, Kind.DATA).replaceFirst("\\r?\\n\\z", ""));
      }
    }
    texts.removeIf(String::isBlank);
    if (!files.isEmpty() && texts.isEmpty()) {
      throw new JqloraException(Kind.DATA, files.getFirst() + ": no text; expected text, or rows {\"text\": ...}");
    }
    return new TextDocuments(List.copyOf(texts));
  }

  private static void addRows(Path file, List<String> texts) {
    try (var lines = new LineReader(file)) {
      for (String line = lines.next(); line != null; line = lines.next()) {
        if (!line.isBlank()) {
          JsonNode text = Json.object(line, lines.where()).path("text");
          if (!text.isTextual()) {
            throw new JqloraException(Kind.DATA, lines.where() + ": \"text\": expected text, got "
                + Json.describe(text));
          }
          texts.add(text.textValue());
        }
      }
    }
  }

  String digest() {
    var digest = new Digest();
    texts.forEach(digest::add);
    return digest.hex();
  }
}
