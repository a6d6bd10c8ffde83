package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.plan.Lowering.MissingKernelException;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns whatever ends a command into one line and an exit code. */
final class Failures {
  private static final int UNEXPECTED = 1;
  /** Set to 1, it has the stack trace printed too. */
  private static final String DEBUG = "JQLORA_DEBUG";

  private Failures() {}

  /** What an exit code means. */
  static String describe(Kind kind) {
    return switch (kind) {
      case USAGE -> "a wrong command line";
      case CONFIG -> "a wrong key or value in a configuration";
      case DATA -> "a dataset or text that cannot be used";
      case MODEL -> "a checkpoint, adapter or tokenizer that cannot be used";
      case MEMORY -> "not enough memory";
      case NUMERICS -> "NaN or Inf in the computation";
      case BACKEND -> "a device or one of its operations is missing or failed";
      case IO -> "a file that cannot be read or written";
      case NETWORK -> "a service on the network that does not answer as it should";
    };
  }

  /** Prints what went wrong; returns the exit code. */
  static int report(PrintWriter err, Throwable failure) {
    boolean debug = "1".equals(System.getenv(DEBUG));
    Line line = line(failure);
    err.println("jqlora: error: " + line.text().replaceAll("\\R+", " "));
    if (debug) {
      failure.printStackTrace(err);
    }
    err.flush();
    return line.exitCode();
  }

  private record Line(int exitCode, String text) {
    Line(Kind kind, String text) {
      this(kind.exitCode(), text);
    }
  }

  private static Line line(Throwable failure) {
    return switch (failure) {
      case JqloraException e -> new Line(e.kind(), String.valueOf(e.getMessage()));
      case ParameterException e when e.getCause() instanceof JqloraException cause -> line(cause);
      case ParameterException e -> new Line(Kind.USAGE, usage(e));
      case MissingKernelException e -> new Line(Kind.BACKEND, e.getMessage() + "; choose another --backend");
      case OutOfMemoryError e -> new Line(Kind.MEMORY,
          "out of memory (%s); free some, give Java's heap more with JQLORA_OPTS=-Xmx8g, or choose a smaller model or batch; %s=1 shows where"
              .formatted(e.getMessage(), DEBUG));
      case StackOverflowError _ -> new Line(UNEXPECTED,
          "something is nested too deeply; this is a bug: %s=1 shows where".formatted(DEBUG));
      default -> new Line(UNEXPECTED, "unexpected %s%s; this is a bug: %s=1 shows where".formatted(
          failure.getClass().getSimpleName(), failure.getMessage() == null ? "" : ": " + failure.getMessage(), DEBUG));
    };
  }

  private static String usage(ParameterException e) {
    CommandLine command = e.getCommandLine();
    List<String> unknown = command.getUnmatchedArguments();
    // A misspelt option is worth more than the one that is missing for that very reason.
    UnmatchedArgumentException unmatched = e instanceof UnmatchedArgumentException given
        ? given
        : unknown.isEmpty() ? null : new UnmatchedArgumentException(command, unknown);
    String message = unmatched == null
        ? String.valueOf(e.getMessage())
        : "there is no " + unmatched.getUnmatched()
            .getFirst();
    List<String> suggestions = unmatched == null ? List.of() : unmatched.getSuggestions();
    String hint = suggestions.isEmpty() ? "" : "; did you mean %s?".formatted(String.join(" or ", suggestions));
    return "%s%s (%s --help tells more)".formatted(message, hint, command.getCommandSpec().qualifiedName());
  }
}
