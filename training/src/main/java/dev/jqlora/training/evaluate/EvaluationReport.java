package dev.jqlora.training.evaluate;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.config.QuantizationConfig;
import dev.jqlora.llama.score.Perplexity;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * All that an evaluation found.
 *
 * @param backend the name of the one that computed
 * @param products what that may round the factors of matrix products to
 * @param stored how the base model was quantized before it was saved, where it was
 * @param split the split that the questions' file names, where it does
 * @param documents of held-out text
 * @param windows how text was cut, where there was any
 * @param harnessBos whether prompts of the form {@link PromptForm#HARNESS} begin with the beginning-of-text token
 * @param context most tokens that the model reads at once
 */
public record EvaluationReport(EvaluationSettings settings, String backend, DType products,
    Optional<QuantizationConfig> stored, Optional<String> split, int documents, Optional<Perplexity.Windows> windows,
    boolean harnessBos, int context, List<VariantResult> variants) {
  /** Two variants' answers in one form. */
  public record Comparison(PromptForm form, Variant first, Variant second, McNemar test) {}

  /** Each pair of variants, form by form. */
  public List<Comparison> comparisons() {
    var comparisons = new ArrayList<Comparison>();
    for (PromptForm form : settings.questions().map(questions -> List.copyOf(questions.forms())).orElse(List.of())) {
      for (int i = 0; i < variants.size(); i++) {
        for (VariantResult second : variants.subList(i + 1, variants.size())) {
          VariantResult first = variants.get(i);
          comparisons.add(new Comparison(form, first.variant(), second.variant(),
              first.answers(form).against(second.answers(form))));
        }
      }
    }
    return comparisons;
  }
}
