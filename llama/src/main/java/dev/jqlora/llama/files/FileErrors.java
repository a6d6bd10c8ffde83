package dev.jqlora.llama.files;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** One-line messages about files, safe to print whatever the file holds. */
public final class FileErrors {
  private static final int QUOTED_CHARACTERS = 120;

  private FileErrors() {}

  public static JqloraException cannotRead(Path file, IOException cause) {
    return new JqloraException(Kind.IO, "cannot read %s: %s".formatted(file, reason(cause)), cause);
  }

  public static JqloraException cannotWrite(Path file, IOException cause) {
    return new JqloraException(Kind.IO, "cannot write %s: %s".formatted(file, reason(cause)), cause);
  }

  /** What an I/O failure means to a reader; the messages of {@code java.nio.file} are often a bare path. */
  public static String reason(IOException cause) {
    return switch (cause) {
      case NoSuchFileException _ -> "no such file or folder";
      case AccessDeniedException _ -> "permission denied";
      case FileSystemException failure when failure.getReason() != null -> printable(failure.getReason());
      default -> cause.getMessage() == null ? cause.getClass().getSimpleName() : printable(cause.getMessage());
    };
  }

  /** A name or value from a file, in quotes, shortened, with control characters escaped. */
  public static String quoted(String text) {
    return '"' + printable(text) + '"';
  }

  /** The text on one line: shortened, with control characters, format characters and lone surrogates escaped. */
  public static String printable(String text) {
    StringBuilder line = new StringBuilder();
    int shown = 0;
    for (int i = 0; i < text.length() && shown < QUOTED_CHARACTERS; shown++) {
      int codePoint = text.codePointAt(i);
      switch (Character.getType(codePoint)) {
        case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.LINE_SEPARATOR,
            Character.PARAGRAPH_SEPARATOR ->
          line.append("\\u%04x".formatted(codePoint));
        default -> line.appendCodePoint(codePoint);
      }
      i += Character.charCount(codePoint);
    }
    return shown == QUOTED_CHARACTERS ? line.append("…").toString() : line.toString();
  }
}
