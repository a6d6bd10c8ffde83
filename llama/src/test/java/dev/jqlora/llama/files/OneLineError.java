package dev.jqlora.llama.files;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import java.util.Objects;
import org.junit.jupiter.api.function.Executable;

/** Asserts that something ends in the error that a user sees. */
public final class OneLineError {
  private OneLineError() {}

  /** Runs what must end in a {@link JqloraException} of one printable line that contains each part. */
  public static JqloraException assertThrown(Executable action, String... parts) {
    JqloraException error = assertThrows(JqloraException.class, action);
    String message = Objects.requireNonNull(error.getMessage());
    assertFalse(message.isBlank());
    assertTrue(message.chars().noneMatch(Character::isISOControl), message);
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "no <" + part + "> in: " + message);
    }
    return error;
  }
}
