package dev.jqlora.llama.hub;

import java.util.Optional;
import java.util.regex.Pattern;

/** A model on the hub, such as {@code meta-llama/Llama-3.2-1B}. */
record RepoId(String name) {
  private static final Pattern NAME = Pattern.compile("(\\w[\\w.-]{0,95}/)?\\w[\\w.-]{0,95}");

  static Optional<RepoId> of(String text) {
    boolean valid = NAME.matcher(text).matches() && !text.contains("..") && !text.contains("--");
    return valid ? Optional.of(new RepoId(text)) : Optional.empty();
  }

  /** Its folder in the cache. */
  String folder() {
    return "models--" + name.replace("/", "--");
  }
}
