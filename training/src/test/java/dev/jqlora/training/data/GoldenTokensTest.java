package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.training.config.DataArguments;
import dev.jqlora.training.data.DataRow.Conversation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The ids that LLaMA-Factory's templates give with the real Llama 3 tokenizer. */
class GoldenTokensTest {
  private static final int X = Example.IGNORED;

  private static @Nullable HuggingFaceTokenizer opened;

  @BeforeAll
  static void open() {
    Path folder = Path.of(System.getProperty("jqlora.root", ".."), "..", "shared", "data", "llama3-tokenizer");
    assumeTrue(Files.exists(folder), "skipped: the Llama 3 tokenizer is not there: " + folder);
    opened = HuggingFaceTokenizer.open(folder);
  }

  @AfterAll
  static void close() {
    if (opened != null) {
      opened.close();
    }
  }

  private static HuggingFaceTokenizer tokenizer() {
    if (opened == null) {
      throw new IllegalStateException("not opened");
    }
    return opened;
  }

  private static void assertTurn(Template template, int[] source, int[] target) {
    var turn = template.encode(tokenizer(), List.of("hi", "B"), "").getFirst();
    assertArrayEquals(source, turn.source());
    assertArrayEquals(target, turn.target());
  }

  @Test
  void templates() {
    assertTurn(Template.LLAMA3,
        new int[]{128000, 128006, 882, 128007, 271, 6151, 128009, 128006, 78191, 128007, 271}, new int[]{33, 128009});
    assertTurn(Template.ALPACA, new int[]{14711, 30151, 512, 6151, 271, 14711, 6075, 512},
        new int[]{33, 128001, 271});
    assertTurn(Template.DEFAULT, new int[]{35075, 25, 15960, 128001, 198, 72803, 25}, new int[]{33, 128001, 198});
    assertTurn(Template.EMPTY, new int[]{6151}, new int[]{33});
  }

  @Test
  void anAnswerHasTwoLearnedTokensUnderLlama3AndThreeUnderAlpaca() {
    for (var expected : List.of(List.of("llama3", 2), List.of("alpaca", 3))) {
      DataArguments arguments = Configs.data("template=" + expected.getFirst());
      var example = new SupervisedProcessor(tokenizer(), arguments)
          .process(List.of(new Conversation(List.of("hi", "B"), ""))).examples().getFirst();
      assertEquals(expected.getLast(), example.targets());
    }
  }

  @Test
  void plainTextEndsWithTheEndOfTextToken() {
    var rows = List.of(new Conversation(List.of("hi"), ""));
    DataArguments llama3 = Configs.data("stage=pt", "packing=false", "template=llama3");
    Example learned = new PretrainProcessor(tokenizer(), llama3).process(rows).examples().getFirst();
    assertArrayEquals(new int[]{6151, 128001}, learned.inputIds());
    assertArrayEquals(new int[]{6151, 128001}, learned.labels());
    DataArguments none = Configs.data("stage=pt", "packing=false");
    Example masked = new PretrainProcessor(tokenizer(), none).process(rows).examples().getFirst();
    assertArrayEquals(new int[]{6151, 128001}, masked.inputIds());
    assertArrayEquals(new int[]{6151, X}, masked.labels());
  }
}
