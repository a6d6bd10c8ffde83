package dev.jqlora.training.evaluate;

import java.util.Optional;
import java.util.SequencedMap;

/** What was found about a variant. */
public record VariantResult(Variant variant, Optional<TextResult> text,
    SequencedMap<PromptForm, QuestionResult> questions) {
  /** The answers in a form, which must be one of those that were asked. */
  public QuestionResult answers(PromptForm form) {
    QuestionResult answers = questions.get(form);
    if (answers == null) {
      throw new IllegalStateException(variant.name() + " was not asked in the form " + form.title());
    }
    return answers;
  }
}
