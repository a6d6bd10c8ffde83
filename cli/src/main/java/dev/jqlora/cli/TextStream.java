package dev.jqlora.cli;

import dev.jqlora.llama.generate.TokenListener;
import dev.jqlora.llama.tokenizer.StreamingDecoder;
import dev.jqlora.llama.tokenizer.Tokenizer;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;

/** Tokens as text: printed as soon as it is certain, and kept. Ends a generation when nobody reads any more. */
final class TextStream implements TokenListener {
  private final StreamingDecoder decoder;
  private final @Nullable PrintWriter out;
  private final StringBuilder text = new StringBuilder();

  /** @param out where to print; null to keep the text only */
  TextStream(Tokenizer tokenizer, @Nullable PrintWriter out) {
    this.decoder = new StreamingDecoder(tokenizer, true);
    this.out = out;
  }

  @Override
  public boolean token(int id) {
    return print(decoder.append(id));
  }

  /** Prints what was held back; returns the whole text. */
  String finish() {
    print(decoder.finish());
    return text.toString();
  }

  private boolean print(String piece) {
    text.append(piece);
    if (out == null) {
      return true;
    }
    out.print(piece);
    // This also flushes; it fails when the reader of a pipe has gone.
    return !out.checkError();
  }
}
