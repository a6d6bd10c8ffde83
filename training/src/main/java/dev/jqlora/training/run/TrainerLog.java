package dev.jqlora.training.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.LineWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * {@code trainer_log.jsonl}: an object a line, appended while the run goes on. A line is written in one piece; a resumed
 * run first takes away what the log holds beyond its checkpoint, so that no step stands there twice.
 */
public final class TrainerLog implements AutoCloseable {
  public static final String FILE = "trainer_log.jsonl";

  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final LineWriter lines;

  private TrainerLog(Path file) {
    lines = new LineWriter(file);
  }

  /** An empty log, in place of an earlier one. */
  public static TrainerLog start(Path outputDir) {
    AtomicFile.write(outputDir.resolve(FILE), "");
    return new TrainerLog(outputDir.resolve(FILE));
  }

  /**
   * The log of a run that goes on from a checkpoint: later lines, torn ones, and all from the line on that marked an end
   * are taken away.
   *
   * @param step optimizer steps done at the checkpoint
   */
  public static TrainerLog resume(Path outputDir, int step) {
    Path file = outputDir.resolve(FILE);
    if (!Files.exists(file)) {
      return start(outputDir);
    }
    try {
      String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
      List<String> kept = text.lines().takeWhile(line -> !LogLine.marksEnd(parse(line))).filter(line -> isUpTo(step,
          line)).toList();
      AtomicFile.write(file, kept.stream().map(line -> line + "\n").collect(Collectors.joining()));
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
    return new TrainerLog(file);
  }

  private static boolean isUpTo(int step, String line) {
    JsonNode logged = parse(line).path(LogLine.STEP);
    return logged.isInt() && logged.intValue() <= step;
  }

  /** A line as JSON, or nothing where it is torn. */
  private static JsonNode parse(String line) {
    try {
      return MAPPER.readTree(line);
    } catch (JsonProcessingException _) {
      return MissingNode.getInstance();
    }
  }

  /** Appends a line. */
  public void append(LogLine line) {
    lines.append(List.of(JsonText.line(line.toJson())));
  }

  @Override
  public void close() {
    lines.close();
  }
}
