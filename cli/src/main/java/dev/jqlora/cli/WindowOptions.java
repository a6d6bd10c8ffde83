package dev.jqlora.cli;

import dev.jqlora.training.evaluate.TextWindows;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How a text that is longer than a window is cut. */
final class WindowOptions {
  @Option(names = "--window", paramLabel = "N", description = "Tokens of a window of text (default: 1024, or the model's context if that is shorter).")
  private @Nullable Integer window;

  @Option(names = "--stride", paramLabel = "N", description = "Tokens from one window's begin to the next one's (default: half the window).")
  private @Nullable Integer stride;

  TextWindows windows() {
    return new TextWindows(number(window), number(stride));
  }

  private static OptionalInt number(@Nullable Integer value) {
    return value == null ? OptionalInt.empty() : OptionalInt.of(value);
  }
}
