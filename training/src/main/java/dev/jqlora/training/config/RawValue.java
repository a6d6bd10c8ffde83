package dev.jqlora.training.config;

import dev.jqlora.llama.files.FileErrors;
import java.util.List;
import java.util.Map;

/** A value as it was written. What it means depends on its key's type only, so {@code 1e-4} is a number everywhere. */
sealed interface RawValue {
  /** A single word, number or text. */
  record Scalar(String text) implements RawValue {}

  /** A list; an element is the text of a scalar. */
  record Sequence(List<String> items) implements RawValue {}

  /** A mapping; each value is the text of a scalar. */
  record Mapping(Map<String, String> entries) implements RawValue {}

  /** {@code null}, {@code ~} or nothing: the key's default. */
  record Unset() implements RawValue {}

  /** How a message names this value. */
  default String describe() {
    return switch (this) {
      case Scalar scalar -> FileErrors.quoted(scalar.text());
      case Sequence(var items) -> "a list of " + items.size();
      case Mapping(var entries) -> "a mapping of " + entries.size();
      case Unset _ -> "nothing";
    };
  }
}
