package dev.jqlora.training.files;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a UTF-8 file, one at a time. Bytes are decoded line by line, so an error names the line; only "\n" ends a
 * line, with a "\r" before it taken away.
 */
public final class LineReader implements AutoCloseable {
  private static final int MAX_LINE_BYTES = 64 << 20;

  private final Path file;
  private final InputStream input;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream(1 << 12);
  private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder()
      .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
  private int lineNumber;

  /** Opens a file. */
  public LineReader(Path file) {
    this.file = file;
    try {
      if (Files.isDirectory(file)) {
        throw new IOException("it is a directory; a file was expected");
      }
      this.input = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  /**
   * The next line without its end, or null after the last.
   *
   * @throws JqloraException {@code DATA} where it is not UTF-8 or longer than 64 MiB
   */
  public @Nullable String next() {
    try {
      line.reset();
      int read = input.read();
      if (read < 0) {
        return null;
      }
      lineNumber++;
      while (read >= 0 && read != '\n') {
        if (line.size() == MAX_LINE_BYTES) {
          throw new JqloraException(Kind.DATA, where() + ": the line is longer than 64 MiB");
        }
        line.write(read);
        read = input.read();
      }
      return text();
    } catch (CharacterCodingException e) {
      throw TextFiles.notUtf8(where(), e);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  private String text() throws CharacterCodingException {
    String text = decoder.decode(ByteBuffer.wrap(line.toByteArray())).toString();
    if (lineNumber == 1 && text.startsWith("\uFEFF")) {
      text = text.substring(1);
    }
    return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
  }

  /** File and number of the last line read, as {@code FILE:LINE}. */
  public String where() {
    return file + ":" + lineNumber;
  }

  @Override
  public void close() {
    try {
      input.close();
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }
}
