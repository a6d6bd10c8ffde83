package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** The reference data beside the project; a test that needs it says what it skips where it is absent. */
final class SharedData {
  private static final Path ROOT = Path.of(System.getProperty("jqlora.root", ".."), "..", "shared", "data").normalize();

  static final String STORIES = "stories260K";
  static final String TEST_QUESTIONS = "medqa/test.jsonl";

  private SharedData() {}

  static Path path(String relative) {
    Path path = ROOT.resolve(relative);
    assumeTrue(Files.exists(path), () -> "skipped: the reference data " + path + " is absent");
    return path;
  }
}
