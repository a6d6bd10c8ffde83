package dev.jqlora.llama.tokenizer;

import java.util.Arrays;
import java.util.BitSet;
import java.util.OptionalInt;

/**
 * Turns ids that come one by one into text. What may still change is held back: the bytes of an unfinished character,
 * and the single-byte tokens ({@code <0x0A>}) of tokenizers that fall back on bytes, up to the next token of another
 * kind. All pieces joined, with {@link #finish}, are exactly the decoding of all ids. Not thread-safe.
 */
public final class StreamingDecoder {
  private static final String INCOMPLETE = "\uFFFD";

  private final Tokenizer tokenizer;
  private final boolean skipSpecialTokens;
  private final BitSet singleBytes = new BitSet();
  private int[] ids = new int[64];
  private int size;
  /** Where decoding starts anew: some ids before those that are not shown, since a first token may lose its space. */
  private int context;
  /** Ids before this one have been shown. */
  private int shown;

  public StreamingDecoder(Tokenizer tokenizer, boolean skipSpecialTokens) {
    this.tokenizer = tokenizer;
    this.skipSpecialTokens = skipSpecialTokens;
    for (int b = 0; b < 256; b++) {
      OptionalInt id = tokenizer.id("<0x%02X>".formatted(b));
      id.ifPresent(singleBytes::set);
    }
  }

  /** Adds an id; gives the text that is certain now and was not before, often empty. */
  public String append(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
    }
    ids[size++] = id;
    // A token without text (a special one that is skipped) does not end a run of single bytes.
    if (singleBytes.get(id) || decode(size - 1, size).isEmpty()) {
      return "";
    }
    String text = decode(context, size);
    return text.endsWith(INCOMPLETE) ? "" : show(text);
  }

  /** The text that was held back, at the end of the stream; unfinished characters come out as U+FFFD. */
  public String finish() {
    return show(decode(context, size));
  }

  private String show(String text) {
    String fresh = text.substring(decode(context, shown).length());
    if (!fresh.isBlank()) {
      context = shown;
    }
    shown = size;
    return fresh;
  }

  private String decode(int from, int to) {
    return from == to ? "" : tokenizer.decode(Arrays.copyOfRange(ids, from, to), skipSpecialTokens);
  }
}
