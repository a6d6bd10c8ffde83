package dev.jqlora.llama.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BytePairTrainerTest {
  private static final Path BOOKS = Path.of(System.getProperty("jqlora.root", "..")).resolve(
      "data_clean/textbooks/en");
  private static String sample = "";

  @TempDir
  Path folder;

  @BeforeAll
  static void readSample() throws IOException {
    try (var files = Files.list(BOOKS)) {
      sample = files.sorted().map(BytePairTrainerTest::text).collect(Collectors.joining("\n\n"));
    }
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private HuggingFaceTokenizer tokenizer(String text, int vocabSize) {
    BytePairTrainer.learn(text, vocabSize).write(folder);
    return HuggingFaceTokenizer.open(folder);
  }

  @Test
  void mergesTheCommonestPairFirst() {
    // In "abab abab ba", the pair ab stands 4 times, then abab twice; " b" and "ba" are rarer.
    try (Tokenizer tokenizer = tokenizer("abab abab", 258 + BytePairTrainer.SPECIAL_TOKENS.size())) {
      assertArrayEquals(new int[]{257, 'b', 'a'}, tokenizer.encode("ababba"));
      assertEquals(258 + 5, tokenizer.vocabSize());
    }
  }

  @Test
  void equalCountsGoToTheSmallerIds() {
    try (Tokenizer tokenizer = tokenizer("xy xy ab ab", 257 + BytePairTrainer.SPECIAL_TOKENS.size())) {
      assertArrayEquals(new int[]{256, 'b'}, tokenizer.encode(" ab"));
      assertArrayEquals(new int[]{'x', 'y'}, tokenizer.encode("xy"));
    }
  }

  @Test
  void stopsWhereNoPairOccursTwice() {
    assertEquals(256 + 5, BytePairTrainer.learn("abc", 1000).vocabSize());
  }

  @Test
  void sampleTextComesBack() {
    try (Tokenizer tokenizer = tokenizer(sample, 1600)) {
      assertEquals(1600, tokenizer.vocabSize());
      int[] ids = tokenizer.encode(sample);
      assertEquals(sample, tokenizer.decode(ids, false));
      assertTrue(ids.length * 3 < sample.length(), "a token is less than three characters: " + ids.length);
    }
  }

  @Test
  void anyTextComesBack() {
    Random random = new Random(7);
    try (Tokenizer tokenizer = tokenizer(sample, 1200)) {
      for (int round = 0; round < 200; round++) {
        String text = random.ints(40, 1, 0x2FFFF).filter(c -> Character.isDefined(c) && (c < 0xD800 || c > 0xDFFF))
            .mapToObj(Character::toString).collect(Collectors.joining());
        assertEquals(text, tokenizer.decode(tokenizer.encode(text), false));
      }
      String odd = " naïve  café\r\n\t\u00a0 I'LL 12345 – “µg” 😀\u0000\u001f";
      assertEquals(odd, tokenizer.decode(tokenizer.encode(odd), false));
    }
  }

  @Test
  void specialTokensAreTheLastIds() {
    try (Tokenizer tokenizer = tokenizer(sample, 600)) {
      assertArrayEquals(new int[]{595, 596, 597, 598, 599},
          tokenizer.encode(String.join("", BytePairTrainer.SPECIAL_TOKENS)));
      assertEquals(595, tokenizer.bosId().getAsInt());
      assertEquals(596, tokenizer.eosId().getAsInt());
      assertEquals(595, tokenizer.encodeWithBos("x")[0]);
      assertEquals("", tokenizer.decode(new int[]{595, 599}, true));
    }
  }

  @Test
  void optionLettersAreOneToken() {
    try (Tokenizer tokenizer = tokenizer(sample, 1600)) {
      for (String letter : "A,B,C,D,E, A, B, C, D, E".split(",")) {
        assertEquals(1, tokenizer.encode(letter).length, Arrays.toString(tokenizer.encode(letter)) + letter);
      }
    }
  }

  @Test
  void theSameTextGivesTheSameFiles() throws IOException {
    BytePairTrainer.learn(sample, 800).write(folder.resolve("one"));
    BytePairTrainer.learn(sample, 800).write(folder.resolve("two"));
    for (String name : new String[]{TokenizerFiles.TOKENIZER, TokenizerFiles.CONFIG}) {
      assertEquals(-1, Files.mismatch(folder.resolve("one").resolve(name), folder.resolve("two").resolve(name)));
    }
  }

  @Test
  void refusesASizeBelowTheBytes() {
    assertThrows(IllegalArgumentException.class, () -> BytePairTrainer.learn(sample, 260));
  }
}
