package dev.jqlora.llama.generate;

/** Told each new token at once. */
@FunctionalInterface
public interface TokenListener {
  TokenListener NONE = _ -> true;

  /** Returns whether to go on. */
  boolean token(int id);
}
