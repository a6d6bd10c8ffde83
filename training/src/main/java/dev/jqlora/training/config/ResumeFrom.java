package dev.jqlora.training.config;

import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Where a run starts. */
public sealed interface ResumeFrom {
  /** At the newest checkpoint of the output folder where there is one and it may not be overwritten, else at step 0. */
  record Automatic() implements ResumeFrom {}

  /** At the newest checkpoint of the output folder; having none is an error. */
  record Newest() implements ResumeFrom {}

  /** At this checkpoint folder. */
  record Checkpoint(Path folder) implements ResumeFrom {}

  /** The meaning of {@code resume_from_checkpoint}. */
  static ResumeFrom of(@Nullable String text) {
    return switch (text == null ? "false" : text.strip().toLowerCase(Locale.ROOT)) {
      case "false", "no", "off" -> new Automatic();
      case "true", "yes", "on" -> new Newest();
      default -> new Checkpoint(Path.of(text == null ? "" : text));
    };
  }
}
