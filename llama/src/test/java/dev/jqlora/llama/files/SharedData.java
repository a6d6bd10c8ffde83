package dev.jqlora.llama.files;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** The reference data beside the project; a test that needs it says what it skips where it is absent. */
public final class SharedData {
  private static final Path ROOT = Path.of(System.getProperty("jqlora.root", "."), "..", "shared", "data").normalize();

  private SharedData() {}

  public static Path path(String relative) {
    Path path = ROOT.resolve(relative);
    Assumptions.assumeTrue(Files.exists(path), () -> "skipped: the reference data " + path + " is absent");
    return path;
  }
}
