package dev.jqlora.training.evaluate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.training.data.Template;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedSet;

/**
 * What is evaluated, and how.
 *
 * @param variants at least one, with different names
 * @param questions where questions are asked
 * @param limit only the first so many questions and documents; all where none is given
 * @param batchTokens tokens that go through the model at once; decides speed and memory, not results
 * @param output folder of the results
 * @param overwrite whether results that are there are made anew
 */
public record EvaluationSettings(Base base, List<Variant> variants, Optional<Questions> questions, Text text,
    OptionalInt limit, int batchTokens, Path output, boolean overwrite) {
  /** Enough for products of matrices to run at full speed. */
  public static final int BATCH_TOKENS = 1024;

  /**
   * The base model.
   *
   * @param name its folder, or its name on the hub, as the user wrote it
   * @param folder where it lies
   */
  public record Base(String name, Path folder, Quantization quantization) {}

  /**
   * The questions and how they are put.
   *
   * @param file JSONL, MedQA's own or as preprocessing writes it
   * @param forms at least one
   * @param template of the form {@link PromptForm#TEMPLATE}
   * @param system the template's system text; empty for none
   */
  public record Questions(Path file, SequencedSet<PromptForm> forms, Template template, String system) {}

  /**
   * Held-out text and how it is cut.
   *
   * @param files may be none
   */
  public record Text(List<Path> files, TextWindows windows) {}

  /** @throws JqloraException {@code USAGE} for values that mean nothing */
  public EvaluationSettings {
    variants = List.copyOf(variants);
    if (variants.stream().map(Variant::name).distinct().count() != variants.size()) {
      throw usage("two variants have the same name: "
          + String.join(", ", variants.stream().map(Variant::name).toList()) + "; give each its own");
    }
    if (variants.isEmpty() || questions.isEmpty() && text.files().isEmpty()) {
      throw usage("there is nothing to evaluate; give --questions or --text");
    }
    if (questions.isPresent() && questions.get().forms().isEmpty()) {
      throw usage("--forms: expected at least one of harness, template");
    }
    if (limit.isPresent() && limit.getAsInt() < 1) {
      throw usage("--limit: expected at least 1, got " + limit.getAsInt());
    }
    if (batchTokens < 1) {
      throw usage("--batch-tokens: expected at least 1, got " + batchTokens);
    }
  }

  /** The first pieces, as many as the limit says. */
  <T> List<T> limited(List<T> pieces) {
    return pieces.subList(0, Math.min(pieces.size(), limit.orElse(Integer.MAX_VALUE)));
  }

  static JqloraException usage(String message) {
    return new JqloraException(Kind.USAGE, message);
  }
}
