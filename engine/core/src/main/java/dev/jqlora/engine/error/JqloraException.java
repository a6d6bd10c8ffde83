package dev.jqlora.engine.error;

import org.jspecify.annotations.Nullable;

/**
 * A failure that a user can do something about. The message is one line: what is wrong, where, what was expected, and
 * what to do. The command line prints it without a stack trace and exits with {@link Kind#exitCode()}.
 */
public final class JqloraException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What went wrong, as a process exit code. */
  public enum Kind {
    /** A wrong command line. */
    USAGE(2),
    /** A wrong key or value in a YAML configuration. */
    CONFIG(3),
    /** A dataset, its description or a text that cannot be used. */
    DATA(4),
    /** A checkpoint, adapter, tokenizer or model configuration that cannot be used. */
    MODEL(5),
    /** The plan does not fit the device's memory. */
    MEMORY(6),
    /** NaN or Inf where a finite number was due. */
    NUMERICS(7),
    /** A device or one of its operations is missing or failed. */
    BACKEND(8),
    /** A file that cannot be read or written. */
    IO(9),
    /** A service on the network that does not answer as it should. */
    NETWORK(10);

    private final int exitCode;

    Kind(int exitCode) {
      this.exitCode = exitCode;
    }

    public int exitCode() {
      return exitCode;
    }
  }

  private final Kind kind;

  public JqloraException(Kind kind, String message) {
    this(kind, message, null);
  }

  public JqloraException(Kind kind, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
