package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import java.util.List;

/**
 * What the doctor found in one section.
 *
 * @param summary a line
 * @param details Markdown, or nothing
 * @param figures for the JSON report
 */
record Finding(String section, boolean passed, double seconds, String summary, String details, ObjectNode figures) {
  /** What a section has to say of itself. */
  record Result(boolean passed, String summary, String details, ObjectNode figures) {
    /** Passed, unless something is wrong. */
    static Result of(List<String> wrong, String summary, String details, ObjectNode figures) {
      return new Result(wrong.isEmpty(), wrong.isEmpty() ? summary : String.join("; ", wrong), details, figures);
    }
  }

  /** A section: whatever it throws is a finding too. */
  @FunctionalInterface
  interface Examination {
    Result examine();
  }

  static Finding of(String section, Examination examination) {
    long begin = System.nanoTime();
    Result result;
    try {
      result = examination.examine();
    } catch (JqloraException e) {
      result = failed(String.valueOf(e.getMessage()));
    } catch (RuntimeException | AssertionError | OutOfMemoryError e) {
      result = failed(e.toString());
    }
    return new Finding(section, result.passed(), (System.nanoTime() - begin) * 1e-9, result.summary(),
        result.details(), result.figures());
  }

  private static Result failed(String message) {
    return new Result(false, message.replaceAll("\\R+", " "), "", JsonNodeFactory.instance.objectNode());
  }

  String verdict() {
    return passed ? "passed" : "FAILED";
  }
}
