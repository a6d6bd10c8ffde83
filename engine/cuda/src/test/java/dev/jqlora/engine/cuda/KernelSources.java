package dev.jqlora.engine.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The project's {@code .cu} files and what is made of them. */
final class KernelSources {
  static final Path MODULE = Path.of(System.getProperty("jqlora.root", "../.."), "engine", "cuda").toAbsolutePath()
      .normalize();
  static final Path FOLDER = MODULE.resolve("src/main/cuda");
  private static final Pattern INCLUDE = Pattern.compile("#include \"([\\w.]+)\"");

  private KernelSources() {}

  /** All {@code .cu} files by name. */
  static List<Path> files() {
    return list(FOLDER, ".cu");
  }

  static List<Path> list(Path folder, String suffix) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.getFileName().toString().endsWith(suffix)).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static String stem(Path file) {
    String name = file.getFileName().toString();
    return name.substring(0, name.lastIndexOf('.'));
  }

  /** A file and all that it includes of the same folder, each once, in the order in which they are met. */
  static List<Path> withIncludes(Path file) {
    List<Path> all = new ArrayList<>();
    collect(file, all);
    return all;
  }

  private static void collect(Path file, List<Path> all) {
    if (!Files.exists(file) || all.contains(file)) {
      return;
    }
    all.add(file);
    Matcher include = INCLUDE.matcher(read(file));
    while (include.find()) {
      collect(FOLDER.resolve(include.group(1)), all);
    }
  }

  static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** SHA-256 over the contents of some files and texts. */
  static String digest(List<Path> files, String... texts) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Path file : files) {
        digest.update(read(file).getBytes(StandardCharsets.UTF_8));
      }
      for (String text : texts) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Runs a tool; returns what it says, or throws AssertionError where it fails. */
  static String run(List<String> command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new AssertionError(String.join(" ", command) + ":\n" + output);
      }
      return output;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** Whether a tool can be started here. */
  static boolean have(String tool) {
    try {
      Process process = new ProcessBuilder(tool, "--version").redirectErrorStream(true).start();
      process.getInputStream().readAllBytes();
      return process.waitFor() == 0;
    } catch (IOException _) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
