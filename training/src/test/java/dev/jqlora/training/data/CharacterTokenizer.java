package dev.jqlora.training.data;

import dev.jqlora.llama.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/** A tokenizer for tests: a character is its code as id, a special token one of the ids from 1000. */
final class CharacterTokenizer implements Tokenizer {
  static final int BOS = 1000;
  static final int EOS = 1001;
  static final int EOT = 1002;

  private final List<String> special;

  private CharacterTokenizer(List<String> special) {
    this.special = special;
  }

  /** Llama 3's special tokens. */
  static CharacterTokenizer llama3() {
    return new CharacterTokenizer(List.of("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>",
        "<|end_header_id|>"));
  }

  /** A beginning and an end of text, as Llama 2 has them. */
  static CharacterTokenizer plain() {
    return new CharacterTokenizer(List.of("<s>", "</s>"));
  }

  @Override
  public int[] encode(String text) {
    var ids = new ArrayList<Integer>();
    for (int at = 0; at < text.length();) {
      int start = at;
      OptionalInt token = IntStream.range(0, special.size())
          .filter(i -> text.startsWith(special.get(i), start)).findFirst();
      ids.add(token.isPresent() ? BOS + token.getAsInt() : text.charAt(at));
      at += token.isPresent() ? special.get(token.getAsInt()).length() : 1;
    }
    return ids.stream().mapToInt(Integer::intValue).toArray();
  }

  @Override
  public int[] encodeWithBos(String text) {
    return encode(special.getFirst() + text);
  }

  @Override
  public String decode(int[] ids, boolean skipSpecialTokens) {
    var text = new StringBuilder();
    Arrays.stream(ids).filter(id -> !skipSpecialTokens || id < BOS)
        .forEach(id -> text.append(id < BOS ? String.valueOf((char) id) : special.get(id - BOS)));
    return text.toString();
  }

  @Override
  public OptionalInt id(String token) {
    int index = special.indexOf(token);
    return index < 0 ? OptionalInt.empty() : OptionalInt.of(BOS + index);
  }

  @Override
  public int vocabSize() {
    return BOS + special.size();
  }

  @Override
  public OptionalInt bosId() {
    return OptionalInt.of(BOS);
  }

  @Override
  public OptionalInt eosId() {
    return OptionalInt.of(EOS);
  }

  @Override
  public OptionalInt padId() {
    return OptionalInt.empty();
  }

  @Override
  public void close() {}
}
