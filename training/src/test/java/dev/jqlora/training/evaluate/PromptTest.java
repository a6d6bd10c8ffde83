package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.training.data.Template;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class PromptTest {
  private static final ChoiceQuestion QUESTION = new ChoiceQuestion("Choose.", "Q?\nA. a\nB. b\nC. c\nD. d", 4, 1);

  /** The facts that were counted on the real questions with the real tokenizer: letters are one token each. */
  @Test
  void llama3HasATokenForEachLetter() {
    try (var tokenizer = HuggingFaceTokenizer.open(SharedData.path("llama3-tokenizer"))) {
      assertFalse(tokenizer.addsBos());
      Prompt.Maker harness = Prompt.harness(tokenizer, tokenizer.addsBos());
      Prompt.Maker template = Prompt.template(tokenizer, Template.LLAMA3, "");
      for (ChoiceQuestion question : MedqaQuestions.read(SharedData.path(SharedData.TEST_QUESTIONS)).questions()) {
        Prompt prompt = harness.of(question);
        assertEquals("Question: " + question.text() + "\nAnswer:", tokenizer.decode(prompt.context(), false));
        assertContinuations(prompt, 362, 426, 356, 423);
        assertContinuations(template.of(question), 32, 33, 34, 35);
      }
    }
  }

  private static void assertContinuations(Prompt prompt, int... ids) {
    assertArrayEquals(ids, prompt.continuations().stream().flatMapToInt(Arrays::stream).toArray());
    assertEquals(ids.length, prompt.continuations().size());
  }

  @Test
  void templatePromptsAreThoseOfTraining() {
    try (var tokenizer = HuggingFaceTokenizer.open(SharedData.path("llama3-tokenizer"))) {
      int[] context = Prompt.template(tokenizer, Template.ALPACA, "System. ").of(QUESTION).context();
      assertEquals("System. ### Instruction:\nChoose.\n" + QUESTION.text() + "\n\n### Response:\n", tokenizer.decode(
          context, false));
      int[] learned = Template.ALPACA.encode(tokenizer, List.of("Choose.\n" + QUESTION.text(), "B"), "System. ")
          .getFirst().source();
      assertArrayEquals(learned, context);
    }
  }

  @Test
  void aTokenizerThatAddsTheBeginningOfTextByItselfHasItOnce() {
    try (var tokenizer = HuggingFaceTokenizer.open(SharedData.path(SharedData.STORIES))) {
      assertTrue(tokenizer.addsBos());
      Prompt prompt = Prompt.harness(tokenizer, true).of(QUESTION);
      assertEquals(1, Arrays.stream(prompt.context()).filter(id -> id == 1).count());
      assertEquals(1, prompt.context()[0]);
      prompt.continuations().forEach(continuation -> {
        int[] whole = Arrays.copyOf(prompt.context(), prompt.context().length + continuation.length);
        System.arraycopy(continuation, 0, whole, prompt.context().length, continuation.length);
        assertTrue(tokenizer.decode(whole, true).matches("(?s).*\nAnswer: [ABCD]"));
      });
    }
  }

  @Test
  void optionsOfOneTokenShareASequence() {
    Reading reading = Reading.of(new Prompt(new int[]{5, 6, 7}, List.of(new int[]{1}, new int[]{2})), 3);
    assertEquals(1, reading.sequences().size());
    assertArrayEquals(new int[]{5, 6, 7}, reading.sequences().getFirst());
    assertEquals(List.of(2, 2), reading.options().stream().map(Reading.Option::firstRow).toList());
    assertFalse(reading.cut());
  }

  @Test
  void optionsOfSeveralTokensShareWhatIsEqual() {
    Reading reading = Reading.of(new Prompt(new int[]{5, 6}, List.of(new int[]{1, 2}, new int[]{1, 3}, new int[]{4,
        2})), 9);
    assertArrayEquals(new int[][]{{5, 6, 1}, {5, 6, 4}}, reading.sequences().toArray(int[][]::new));
    assertEquals(List.of(0, 0, 1), reading.options().stream().map(Reading.Option::sequence).toList());
    assertEquals(1, reading.options().getFirst().firstRow());
    assertEquals(6, reading.tokens());
    assertEquals(6, reading.rows());
  }

  @Test
  void longPromptsLoseTheirBeginning() {
    Reading reading = Reading.of(new Prompt(new int[]{5, 6, 7, 8}, List.of(new int[]{1}, new int[]{2, 3})), 3);
    assertArrayEquals(new int[][]{{6, 7, 8}, {7, 8, 2}}, reading.sequences().toArray(int[][]::new));
    assertEquals(List.of(2, 1), reading.options().stream().map(Reading.Option::firstRow).toList());
    assertTrue(reading.cut());
    assertThrows(JqloraException.class, () -> Reading.of(new Prompt(new int[]{5}, List.of(new int[4])), 3));
  }
}
