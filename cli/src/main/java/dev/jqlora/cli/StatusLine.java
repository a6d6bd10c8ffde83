package dev.jqlora.cli;

import java.io.PrintWriter;

/** One line on the terminal, overwritten as work goes on and cleared at its end; nothing where there is no terminal. */
final class StatusLine implements AutoCloseable {
  private static final long INTERVAL_NANOS = 100_000_000;
  private static final String CLEAR = "\r\u001b[K";

  private final PrintWriter err;
  private final boolean terminal = isTerminal();
  private long lastShown = System.nanoTime();
  private boolean shown;

  StatusLine(PrintWriter err) {
    this.err = err;
  }

  /** Whether a person reads along. */
  static boolean isTerminal() {
    return System.console() != null && System.console().isTerminal();
  }

  void show(String text) {
    if (terminal && System.nanoTime() - lastShown > INTERVAL_NANOS) {
      err.print(CLEAR + text);
      err.flush();
      lastShown = System.nanoTime();
      shown = true;
    }
  }

  void download(String file, long bytes, long totalBytes) {
    show("fetching %s: %,d of %,d MB".formatted(file, bytes / 1_000_000, totalBytes / 1_000_000));
  }

  @Override
  public void close() {
    if (shown) {
      err.print(CLEAR);
      err.flush();
    }
  }
}
