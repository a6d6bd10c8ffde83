package dev.jqlora.training.config;

import java.util.Locale;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A number of bytes as people write it. */
public final class ByteSize {
  /** What a size looks like, as it completes "expected ...". */
  public static final String EXPECTED = "a size such as 8GB (1000-based), 7.5GiB (1024-based) or a number of bytes";

  private static final Pattern SIZE = Pattern.compile("(\\d{1,15}(?:\\.\\d{1,6})?)\\s*([KMGT]?)(i?)B?",
      Pattern.CASE_INSENSITIVE);

  private ByteSize() {}

  /** The bytes, or nothing where the text is no size of at least one byte. */
  public static OptionalLong parse(String text) {
    Matcher match = SIZE.matcher(text.strip());
    if (!match.matches() || match.group(2).isEmpty() && !match.group(3).isEmpty()) {
      return OptionalLong.empty();
    }
    int power = " KMGT".indexOf(match.group(2).toUpperCase(Locale.ROOT).concat(" ").charAt(0));
    double bytes = Double.parseDouble(match.group(1)) * Math.pow(match.group(3).isEmpty() ? 1000 : 1024, power);
    return bytes < 1 || bytes > Long.MAX_VALUE / 2 ? OptionalLong.empty() : OptionalLong.of((long) bytes);
  }
}
