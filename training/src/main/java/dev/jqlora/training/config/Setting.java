package dev.jqlora.training.config;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;

/** One {@code key: value} and where it stands, such as {@code stage1.yaml:12} or {@code command line}. */
record Setting(String key, RawValue value, String origin) {
  JqloraException error(String complaint) {
    return new JqloraException(Kind.CONFIG, origin + ": " + key + ": " + complaint);
  }

  JqloraException expected(String what) {
    return error("expected " + what + ", got " + value.describe());
  }
}
