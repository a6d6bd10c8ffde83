package dev.jqlora.training.evaluate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.ModelArguments;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.data.Template;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What the configurations of a recipe's stages say about its evaluation.
 *
 * @param model the base model and how it is held, as the last stage says it; the base is the same in all stages
 * @param variants the base, and {@code stage1}, {@code stage2} and so on for the stages whose adapter is there
 * @param template the last stage's
 * @param system the last stage's system text; empty for none
 * @param data the folder of the datasets
 * @param notices a line for each stage that is left out
 */
public record Recipe(ModelArguments model, List<Variant> variants, Template template, String system, Path data,
    List<String> notices) {
  /**
   * Reads configurations, one a stage, in the stages' order.
   *
   * @throws JqloraException {@code CONFIG} where one cannot be used, or where they name different models
   */
  public static Recipe read(List<Path> files) {
    List<TrainingArguments> stages = files.stream().map(file -> TrainingArguments.read(file, List.of())).toList();
    ModelArguments model = stages.getLast().model();
    var variants = new ArrayList<>(List.of(Variant.BASE));
    var notices = new ArrayList<String>();
    for (int i = 0; i < stages.size(); i++) {
      TrainingArguments stage = stages.get(i);
      if (!stage.model().modelNameOrPath().equals(model.modelNameOrPath())) {
        throw new JqloraException(Kind.CONFIG, files.get(i) + " trains " + stage.model().modelNameOrPath() + ", but "
            + files.getLast() + " trains " + model.modelNameOrPath() + "; expected one base model");
      }
      Path adapter = stage.trainer().outputDir();
      if (stage.finetuning().type() != FinetuningType.LORA) {
        notices.add(files.get(i) + " trains no adapter; it is left out");
      } else if (Files.exists(adapter.resolve(AdapterConfig.FILE))) {
        variants.add(Variant.of("stage" + (i + 1), adapter));
      } else {
        notices.add(adapter + " holds no finished adapter; stage " + (i + 1) + " is left out");
      }
    }
    Template template = Template.named(stages.getLast().data().template());
    String system = stages.getLast().data().defaultSystem();
    return new Recipe(model, List.copyOf(variants), template, system == null ? template.defaultSystem() : system,
        stages.getLast().data().datasetDir(), List.copyOf(notices));
  }

  /** The test questions that preprocessing writes. */
  public Path questions() {
    return data.resolve("medqa_test.jsonl");
  }

  /** The held-out text that preprocessing writes, a section of a book per row. */
  public Path text() {
    return data.resolve("textbooks_heldout.jsonl");
  }
}
