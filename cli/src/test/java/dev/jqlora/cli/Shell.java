package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;

/** Runs command lines as a user does, within this process. */
final class Shell {
  static final Path ROOT = Path.of(System.getProperty("jqlora.root", "."));
  private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private Shell() {}

  /** What a command did. */
  record Result(int exitCode, String out, String err) {
    Result succeeded() {
      assertEquals(0, exitCode, err);
      return this;
    }

    /** One line on the standard error, nothing on the standard output. */
    Result failed(int expected, String... parts) {
      assertEquals(expected, exitCode, err);
      assertEquals("", out);
      assertEquals(1, err.lines().count(), err);
      assertTrue(err.startsWith("jqlora: error: "), err);
      for (String part : parts) {
        assertTrue(err.contains(part), () -> "no <" + part + "> in: " + err);
      }
      return this;
    }

    /** The one JSON value that was printed. */
    JsonNode json() {
      succeeded();
      try {
        return JSON.readTree(out);
      } catch (JsonProcessingException e) {
        throw new AssertionError("not JSON: " + out, e);
      }
    }
  }

  static Result run(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exitCode = Main.run(new PrintWriter(out), new PrintWriter(err), args);
    return new Result(exitCode, out.toString(), err.toString());
  }

  static Result runWithInput(String input, String... args) {
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
    try {
      return run(args);
    } finally {
      System.setIn(before);
    }
  }

  /**
   * Runs a command line in a Java of its own.
   *
   * @param main {@link Main}, or what calls it
   * @param more a folder of classes beside these tests', or null
   * @param folder where what it prints is kept meanwhile
   */
  static Result runProcess(Class<?> main, @Nullable Path more, Map<String, String> environment, Path folder,
      String... arguments) throws IOException, InterruptedException {
    String classes = System.getProperty("java.class.path") + (more == null ? "" : File.pathSeparator + more);
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xmx2g",
        "-Djqlora.root=" + ROOT, "-Djqlora.home=" + ROOT, "-cp", classes, main.getName()));
    command.addAll(List.of(arguments));
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    assertTrue(process.waitFor(20, TimeUnit.MINUTES), "the command does not end");
    return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
  }

  /** A path of the reference data; a test that needs it is skipped, and says so, where it is absent. */
  static Path data(String relative) {
    Path path = ROOT.resolve("../shared/data").normalize().resolve(relative);
    Assumptions.assumeTrue(Files.exists(path), () -> "skipped: the reference data " + path + " is absent");
    return path;
  }

  static JsonNode golden(String file) {
    try {
      return JSON.readTree(Files.readString(data("golden").resolve(file)));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
