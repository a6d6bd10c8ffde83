package dev.jqlora.training.config;

import org.jspecify.annotations.Nullable;

/**
 * One row of the table of keys.
 *
 * @param name as it stands in the YAML
 * @param type how its value is written
 * @param defaultValue what counts when it is not given; null where nothing does
 * @param status what this project makes of it
 * @param help one line of documentation
 */
record Key<T>(String name, Group group, ValueType<T> type, @Nullable T defaultValue, Status status, String help) {
  /** The record a key goes into, and the chapter of the documentation. */
  enum Group {
    MODEL("Model"), FINETUNING("Fine-tuning method"), DATA("Data"), TRAINER("Training"), GENERATING(
        "Generation"), ENGINE("Engine (jqlora's own keys)");

    private final String title;

    Group(String title) {
      this.title = title;
    }

    String title() {
      return title;
    }
  }

  /** What this project makes of a key. */
  sealed interface Status {
    /** It works as its help says. */
    record Supported() implements Status {}

    /** It may be given, changes nothing, and says so. */
    record NoEffect(String reason) implements Status {}

    /** Any value but the default is an error. */
    record Refused(String reason) implements Status {}
  }

  /** The default as the documentation writes it. */
  String defaultText() {
    return defaultValue == null ? "none" : type.show(defaultValue);
  }
}
