package dev.jqlora.training.evaluate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.LineWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiPredicate;

/**
 * A file that holds a JSON object per finished piece of work, written as it goes, so that a run that was stopped goes on
 * where it was. What follows the first line that is damaged, cut short or not the expected one is dropped.
 */
final class ResultLog implements AutoCloseable {
  private final LineWriter lines;
  private final List<ObjectNode> earlier;

  private ResultLog(LineWriter lines, List<ObjectNode> earlier) {
    this.lines = lines;
    this.earlier = earlier;
  }

  /**
   * Opens a log, or makes one.
   *
   * @param expected whether a line can be that of piece i
   */
  static ResultLog open(Path file, BiPredicate<Integer, ObjectNode> expected) {
    try {
      Files.createDirectories(file.toAbsolutePath().getParent());
      byte[] bytes = Files.exists(file) ? Files.readAllBytes(file) : new byte[0];
      var lines = new ArrayList<ObjectNode>();
      int kept = 0;
      for (int end = endOfLine(bytes, kept); end > 0; end = endOfLine(bytes, kept)) {
        String line = new String(bytes, kept, end - kept, StandardCharsets.UTF_8);
        if (!isExpected(line, file, lines, expected)) {
          break;
        }
        kept = end;
      }
      return new ResultLog(new LineWriter(file, kept), List.copyOf(lines));
    } catch (IOException e) {
      throw FileErrors.cannotWrite(file, e);
    }
  }

  /** The position after the next line break, or 0 where there is none. */
  private static int endOfLine(byte[] bytes, int from) {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == '\n') {
        return i + 1;
      }
    }
    return 0;
  }

  private static boolean isExpected(String line, Path file, List<ObjectNode> lines,
      BiPredicate<Integer, ObjectNode> expected) {
    try {
      ObjectNode object = Json.object(line, file.toString());
      return expected.test(lines.size(), object) && lines.add(object);
    } catch (JqloraException _) {
      return false;
    }
  }

  /** What was there before. */
  List<ObjectNode> earlier() {
    return earlier;
  }

  /** Adds lines. */
  void append(ObjectNode... added) {
    lines.append(Arrays.stream(added).map(ObjectNode::toString).toList());
  }

  @Override
  public void close() {
    lines.close();
  }
}
