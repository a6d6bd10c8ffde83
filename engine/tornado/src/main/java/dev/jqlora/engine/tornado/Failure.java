package dev.jqlora.engine.tornado;

import dev.jqlora.engine.error.JqloraException;
import java.util.regex.Pattern;

/** What TornadoVM throws, in one line: its own messages have colours, line ends and stack traces in them. */
final class Failure {
  private static final Pattern COLOUR = Pattern.compile("\u001B\\[[0-9;]*m");
  private static final Pattern TRACE = Pattern.compile("\\s*Stacktrace:.*", Pattern.DOTALL);
  private static final Pattern SPACE = Pattern.compile("\\s+");

  private Failure() {}

  /** @param what could not be done */
  static JqloraException of(String what, RuntimeException e) {
    String message = COLOUR.matcher(String.valueOf(e.getMessage())).replaceAll("");
    return new JqloraException(JqloraException.Kind.BACKEND,
        "TornadoVM cannot %s: %s; what the driver says stands above"
            .formatted(what, SPACE.matcher(TRACE.matcher(message).replaceAll("")).replaceAll(" ").strip()),
        e);
  }
}
