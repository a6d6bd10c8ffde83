package dev.jqlora.training.files;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Writes a file beside its final name and renames it there, so that a reader, or a process killed half-way, finds the
 * old file or the new one and never a part of it.
 */
public final class AtomicFile {
  private AtomicFile() {}

  /** What fills the file. */
  @FunctionalInterface
  public interface Content {
    void writeTo(BufferedWriter writer) throws IOException;
  }

  /**
   * Writes UTF-8 text, making parent directories where they are missing.
   *
   * @throws JqloraException {@code IO}, the file being as it was
   */
  public static void write(Path file, Content content) {
    Path target = file.toAbsolutePath();
    Path partial = target.resolveSibling("." + target.getFileName() + ".partial");
    try {
      Files.createDirectories(target.getParent());
      try (
          var channel = FileChannel.open(partial, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
              StandardOpenOption.TRUNCATE_EXISTING);
          var writer = new BufferedWriter(
              new OutputStreamWriter(Channels.newOutputStream(channel), StandardCharsets.UTF_8))) {
        content.writeTo(writer);
        writer.flush();
        channel.force(true);
      }
      Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException | UncheckedIOException e) {
      throw new JqloraException(Kind.IO, "cannot write " + file + ": " + Excerpt.ofMessage(e.getMessage()), e);
    } finally {
      deleteQuietly(partial);
    }
  }

  /** {@link #write} of a text as a whole. */
  public static void write(Path file, String text) {
    write(file, writer -> writer.write(text));
  }

  private static void deleteQuietly(Path partial) {
    try {
      Files.deleteIfExists(partial);
    } catch (IOException e) {
      // The write itself has succeeded or has already thrown; a leftover is overwritten by the next write.
    }
  }
}
