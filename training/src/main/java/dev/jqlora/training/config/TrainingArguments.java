package dev.jqlora.training.config;

import dev.jqlora.engine.error.JqloraException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A whole configuration, read once at the edge and checked: every value is in range and none contradicts another.
 *
 * @param notices lines that the caller prints once: keys that have no effect here, with the reason
 */
public record TrainingArguments(ModelArguments model, FinetuningArguments finetuning, DataArguments data,
    TrainerArguments trainer, EngineArguments engine, List<String> notices) {
  /**
   * Reads a LLaMA-Factory configuration.
   *
   * @param file a YAML or JSON file, or null where the words are all there is
   * @param words {@code key=value} or {@code --key value}; they win over the file
   * @param allowUnknownKeys whether unknown keys are noticed rather than refused (ALLOW_EXTRA_ARGS=1)
   * @throws JqloraException {@code CONFIG}, one line with file, line, key, value and what was expected
   */
  public static TrainingArguments read(@Nullable Path file, List<String> words, boolean allowUnknownKeys) {
    return of(values(file, words, allowUnknownKeys));
  }

  /** {@link #read(Path, List, boolean)} that refuses unknown keys. */
  public static TrainingArguments read(@Nullable Path file, List<String> words) {
    return read(file, words, false);
  }

  /**
   * {@link #read(Path, List, boolean)} of a configuration that is to be run, so one that trains or evaluates.
   *
   * @throws JqloraException {@code CONFIG}, also where neither do_train nor do_eval is true
   */
  public static TrainingArguments readRun(@Nullable Path file, List<String> words, boolean allowUnknownKeys) {
    Values values = values(file, words, allowUnknownKeys);
    TrainingArguments arguments = of(values);
    if (!arguments.trainer().doTrain() && !arguments.trainer().doEval()) {
      throw values.error(Keys.DO_TRAIN, "neither do_train nor do_eval is true, so there is nothing to do; give "
          + "do_train=true to train, or do_eval=true to evaluate only");
    }
    return arguments;
  }

  /** The keys that words of the command line give, as {@link #read(Path, List, boolean)} understands them. */
  public static Set<String> keys(List<String> words) {
    return SettingsReader.commandLine(words).stream().map(Setting::key).collect(Collectors.toSet());
  }

  private static Values values(@Nullable Path file, List<String> words, boolean allowUnknownKeys) {
    var settings = new ArrayList<Setting>();
    if (file != null) {
      settings.addAll(SettingsReader.file(file));
    }
    settings.addAll(SettingsReader.commandLine(words));
    return new Values(settings, allowUnknownKeys);
  }

  private static TrainingArguments of(Values values) {
    var model = ModelArguments.of(values);
    var finetuning = FinetuningArguments.of(values);
    var data = DataArguments.of(values);
    var trainer = TrainerArguments.of(values);
    checkMethod(values, model, finetuning);
    checkWork(values, data, trainer);
    var notices = new ArrayList<>(values.notices());
    boolean describesAdapter = Stream.of(Keys.LORA_RANK, Keys.LORA_ALPHA, Keys.LORA_DROPOUT, Keys.LORA_TARGET,
        Keys.USE_RSLORA).anyMatch(values::isGiven);
    if (model.adapter() != null && describesAdapter) {
      notices.add("the adapter_config.json of " + model.adapter() + " decides rank, alpha, dropout and targets; "
          + "lora_rank, lora_alpha, lora_dropout, lora_target and use_rslora have no effect");
    }
    if (values.get(Keys.BF16)) {
      notices.add("bf16: the backend decides how it computes (the CPU in float32); " + (model.roundedCarries()
          ? "each layer's input is kept in bfloat16 for the backward pass"
          : "nothing is kept in bfloat16, as carry_dtype or disable_gradient_checkpointing says"));
    }
    if (!model.gradientCheckpointing() && values.get(Keys.CARRY_DTYPE).equals("bfloat16")) {
      notices.add("carry_dtype has no effect with disable_gradient_checkpointing: nothing is computed again");
    }
    return new TrainingArguments(model, finetuning, data, trainer, EngineArguments.of(values),
        List.copyOf(notices));
  }

  private static void checkMethod(Values values, ModelArguments model, FinetuningArguments finetuning) {
    if (finetuning.type() == FinetuningType.LORA) {
      return;
    }
    if (model.quantized()) {
      throw values.error(Keys.FINETUNING_TYPE, "full is not possible on a quantized model; expected lora, or no "
          + "quantization_bit");
    }
    if (model.quantization().head()) {
      throw values.error(Keys.QUANTIZE_HEAD,
          "finetuning_type full trains the head; expected lora, or no quantize_head");
    }
    if (model.adapter() != null) {
      throw values.error(Keys.FINETUNING_TYPE, "full cannot be combined with adapter_name_or_path; expected lora");
    }
  }

  private static void checkWork(Values values, DataArguments data, TrainerArguments trainer) {
    if (trainer.doTrain() && data.dataset().isEmpty()) {
      throw values.error(Keys.DATASET, "required by do_train: names in dataset_info.json");
    }
    if (trainer.doEval() && data.evalDataset().isEmpty() && data.valSize() == 0) {
      throw values.error(Keys.EVAL_DATASET, "required by evaluation: give eval_dataset or val_size");
    }
  }
}
