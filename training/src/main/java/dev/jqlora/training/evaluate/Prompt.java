package dev.jqlora.training.evaluate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.tokenizer.Tokenizer;
import dev.jqlora.training.data.Template;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A question in tokens.
 *
 * @param context what the model reads
 * @param continuations what may follow, one for each option; none is empty
 */
record Prompt(int[] context, List<int[]> continuations) {
  /** Puts questions into tokens. */
  @FunctionalInterface
  interface Maker {
    Prompt of(ChoiceQuestion question);
  }

  /**
   * The prompts of lm-evaluation-harness: {@code "Question: " + question + "\n" + options + "\nAnswer:"}, continued by
   * {@code " A"} and so on. Context and continuation are tokenized as one text, whose ids from the context's own number
   * on are the continuation.
   *
   * @param bos whether each text begins with the beginning-of-text token: where the tokenizer's file adds it by itself
   */
  static Maker harness(Tokenizer tokenizer, boolean bos) {
    return question -> {
      String text = "Question: " + question.text() + "\nAnswer:";
      int[] context = encode(tokenizer, text, bos);
      var continuations = new ArrayList<int[]>();
      for (int option = 0; option < question.options(); option++) {
        int[] whole = encode(tokenizer, text + " " + MedqaQuestions.letter(option), bos);
        if (whole.length <= context.length) {
          throw new JqloraException(Kind.MODEL, "the tokenizer merges \" " + MedqaQuestions.letter(option)
              + "\" with the text before it; this form needs a tokenizer that keeps them apart");
        }
        continuations.add(Arrays.copyOfRange(whole, context.length, whole.length));
      }
      return new Prompt(context, continuations);
    };
  }

  private static int[] encode(Tokenizer tokenizer, String text, boolean bos) {
    return bos ? tokenizer.encodeWithBos(text) : tokenizer.encode(text);
  }

  /**
   * The prompts of training, continued by the letter. Templates tokenize an answer on its own, so its ids do not depend
   * on what precedes it.
   *
   * @param system the system text; empty for none
   */
  static Maker template(Tokenizer tokenizer, Template template, String system) {
    return question -> {
      var continuations = new ArrayList<int[]>();
      for (int option = 0; option < question.options(); option++) {
        continuations.add(tokenizer.encode(MedqaQuestions.letter(option)));
      }
      return new Prompt(template.encodePrompt(tokenizer, List.of(question.userText()), system), continuations);
    };
  }
}
