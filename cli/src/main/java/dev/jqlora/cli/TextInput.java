package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.TextFiles;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Text from the command line, a file or the standard input. A line break at its very end is no part of it. */
final class TextInput {
  private static final long MAXIMUM_BYTES = 256L << 20;

  private TextInput() {}

  /** The text itself, or a file's, or else what comes by the standard input. */
  static String read(@Nullable String text, @Nullable Path file, PrintWriter err) {
    if (text != null && file != null) {
      throw new JqloraException(Kind.USAGE, "a text and a file of text are both given; expected one of them");
    }
    return text != null ? text : file != null ? file(file) : standardInput(err);
  }

  private static String file(Path file) {
    return withoutLastBreak(TextFiles.read(file, MAXIMUM_BYTES, Kind.DATA));
  }

  private static String standardInput(PrintWriter err) {
    if (StatusLine.isTerminal()) {
      err.println("jqlora: reading text from the terminal; Ctrl-D ends it");
      err.flush();
    }
    try (InputStream in = System.in) {
      return decode(in.readAllBytes());
    } catch (IOException e) {
      throw new JqloraException(Kind.IO, "cannot read the standard input: " + FileErrors.reason(e), e);
    }
  }

  private static String decode(byte[] bytes) {
    try {
      return withoutLastBreak(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    } catch (CharacterCodingException e) {
      throw new JqloraException(Kind.DATA, "the standard input is not UTF-8 text; convert it to UTF-8", e);
    }
  }

  private static String withoutLastBreak(String text) {
    String ending = text.endsWith("\r\n") ? "\r\n" : text.endsWith("\n") ? "\n" : "";
    return text.substring(0, text.length() - ending.length());
  }
}
