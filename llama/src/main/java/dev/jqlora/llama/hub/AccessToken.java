package dev.jqlora.llama.hub;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;

/** A secret; it shows itself in no message. */
record AccessToken(String value) {
  AccessToken {
    if (value.isEmpty() || value.chars().anyMatch(c -> c <= ' ' || c > '~')) {
      throw new JqloraException(Kind.CONFIG,
          "the Hugging Face token has spaces or other characters that no token has; copy it again");
    }
  }

  String header() {
    return "Bearer " + value;
  }

  @Override
  public String toString() {
    return "(hidden)";
  }
}
