package dev.jqlora.training.evaluate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What is compared: the base model alone, or with an adapter.
 *
 * @param name for tables and file names: letters, digits, dots, dashes and underscores
 * @param adapter the adapter's folder
 */
public record Variant(String name, Optional<Path> adapter) {
  /** The model without an adapter. */
  public static final Variant BASE = new Variant("base", Optional.empty());

  public Variant {
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")) {
      throw new JqloraException(Kind.USAGE, FileErrors.quoted(name)
          + " cannot name a variant; expected letters, digits, dots, dashes and underscores");
    }
  }

  /** The model with an adapter. */
  public static Variant of(String name, Path adapter) {
    return new Variant(name, Optional.of(adapter));
  }
}
