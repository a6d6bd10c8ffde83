package dev.jqlora.training.files;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Text files, read strictly: bytes that are not UTF-8 are an error, never a replacement character. */
public final class TextFiles {
  private static final int BYTE_ORDER_MARK = 0xFEFF;

  private TextFiles() {}

  /** A reader that throws {@link CharacterCodingException} at the first byte that is not UTF-8; a BOM is skipped. */
  public static BufferedReader reader(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new IOException("it is a directory; a file was expected");
    }
    var decoder = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
        .onUnmappableCharacter(CodingErrorAction.REPORT);
    var reader = new BufferedReader(new InputStreamReader(Files.newInputStream(file), decoder), 1 << 16);
    try {
      skipByteOrderMark(reader);
      return reader;
    } catch (IOException e) {
      reader.close();
      throw e;
    }
  }

  private static void skipByteOrderMark(BufferedReader reader) throws IOException {
    reader.mark(1);
    if (reader.read() != BYTE_ORDER_MARK) {
      reader.reset();
    }
  }

  /**
   * The whole text of a file of at most {@code maxBytes}.
   *
   * @param unfit the kind of error when it is larger, or not UTF-8
   * @throws JqloraException {@code unfit}, or {@code IO} when it cannot be read
   */
  public static String read(Path file, long maxBytes, Kind unfit) {
    try {
      long bytes = Files.size(file);
      if (bytes > maxBytes) {
        throw new JqloraException(unfit,
            file + " has " + bytes + " bytes; a file of this sort has at most " + maxBytes);
      }
      try (var reader = reader(file)) {
        return reader.readAllAsString();
      }
    } catch (CharacterCodingException e) {
      throw new JqloraException(unfit, file + " is not UTF-8 text; convert it to UTF-8", e);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  /** The error for bytes that are not UTF-8, as dataset readers throw it. */
  public static JqloraException notUtf8(String where, CharacterCodingException cause) {
    return new JqloraException(Kind.DATA, where + ": not UTF-8 text; convert the file to UTF-8", cause);
  }

}
