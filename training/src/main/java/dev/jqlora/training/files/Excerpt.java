package dev.jqlora.training.files;

import org.jspecify.annotations.Nullable;

/** Foreign text, made fit for an error message: quoted, on one line, and short. */
public final class Excerpt {
  private static final int MAX_CHARACTERS = 60;

  private Excerpt() {}

  /** The text in double quotes, control characters escaped, cut after {@value #MAX_CHARACTERS} characters. */
  public static String of(String text) {
    return '"' + oneLine(text, MAX_CHARACTERS) + '"';
  }

  /** A message of another library on one line, cut after 200 characters. */
  public static String ofMessage(@Nullable String message) {
    return message == null ? "no further detail" : oneLine(message.strip(), 200);
  }

  private static String oneLine(String text, int maxCharacters) {
    var line = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      if (line.length() >= maxCharacters) {
        return line.append("...").toString();
      }
      char c = text.charAt(i);
      switch (c) {
        case '\n' -> line.append("\\n");
        case '\r' -> line.append("\\r");
        case '\t' -> line.append("\\t");
        default -> {
          boolean printable = !Character.isISOControl(c) && c != '\u2028' && c != '\u2029' && c != '\uFEFF';
          line.append(printable ? String.valueOf(c) : String.format("\\u%04x", (int) c));
        }
      }
    }
    return line.toString();
  }
}
