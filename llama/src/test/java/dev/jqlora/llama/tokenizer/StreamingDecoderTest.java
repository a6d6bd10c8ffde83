package dev.jqlora.llama.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.llama.files.SharedData;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamingDecoderTest {
  private static final String TEXT = "  Once \uD83D\uDC69\uD83C\uDFFD\u200D\u2695\uFE0F upon\n\n a \uD83D\uDE00\uD83D\uDE00 日本語 "
      + "time,  \uFFFD naïve<s> </s> x\u0000y \uFFFD";

  @ParameterizedTest
  @ValueSource(strings = {"llama3-tokenizer", "stories260K"})
  void piecesJoinedAreTheWholeText(String name) {
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(SharedData.path(name))) {
      for (boolean skip : new boolean[]{true, false}) {
        int[] ids = tokenizer.encodeWithBos(TEXT);
        List<String> pieces = assertJoins(tokenizer, ids, skip);
        assertTrue(pieces.stream().filter(piece -> !piece.isEmpty()).count() > 10, "the text came in pieces");
        assertFalse(pieces.subList(0, 12).toString().contains("\uFFFD"), "no unfinished character was shown");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama3-tokenizer", "stories260K"})
  void anyIdsJoinToTheirDecoding(String name) {
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(SharedData.path(name))) {
      Random random = new Random(1);
      for (int run = 0; run < 300; run++) {
        // Low ids are single bytes in both, so that broken characters are frequent.
        int most = run % 2 == 0 ? 262 : tokenizer.vocabSize();
        assertJoins(tokenizer, random.ints(1 + run % 40, 0, most).toArray(), run % 3 == 0);
      }
    }
  }

  @Test
  void anEmojiOfSeveralTokensComesWhole() {
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(SharedData.path("llama3-tokenizer"))) {
      StreamingDecoder decoder = new StreamingDecoder(tokenizer, true);
      assertEquals("", decoder.append(62_904));
      assertEquals(" \uD83D\uDC69", decoder.append(102));
      assertEquals("", decoder.append(9_468));
      assertEquals("", decoder.append(237));
      assertEquals("\uD83C\uDFFD", decoder.append(121));
      assertEquals("", decoder.append(9_468));
      assertEquals("\uFFFD", decoder.finish());
      assertEquals("", decoder.finish());
    }
  }

  @Test
  void theFirstSpaceOfALaterTokenStays() {
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(SharedData.path("stories260K"))) {
      StreamingDecoder decoder = new StreamingDecoder(tokenizer, true);
      assertEquals("", decoder.append(1));
      assertEquals("Once", decoder.append(tokenizer.id("▁Once").orElse(403)));
    }
  }

  private static List<String> assertJoins(Tokenizer tokenizer, int[] ids, boolean skip) {
    StreamingDecoder decoder = new StreamingDecoder(tokenizer, skip);
    List<String> pieces = new ArrayList<>();
    for (int id : ids) {
      pieces.add(decoder.append(id));
    }
    pieces.add(decoder.finish());
    assertEquals(tokenizer.decode(ids, skip), String.join("", pieces));
    return pieces;
  }
}
