package dev.jqlora.training.train;

import dev.jqlora.llama.model.Quantization;
import dev.jqlora.training.config.TrainerArguments;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.data.Example;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;

/** What must be the same in all parts of a run; the backend need not be, so of activations the setting counts. */
final class FixedSettings {
  private FixedSettings() {}

  /** The settings by what they are called. */
  static SortedMap<String, String> of(TrainingArguments arguments, List<Example> examples) {
    TrainerArguments trainer = arguments.trainer();
    SortedMap<String, String> fixed = new TreeMap<>();
    fixed.put("seed", String.valueOf(trainer.seed()));
    fixed.put("data_seed", String.valueOf(trainer.dataSeed()));
    fixed.put("per_device_train_batch_size", String.valueOf(trainer.trainBatchSize()));
    fixed.put("gradient_accumulation_steps", String.valueOf(trainer.gradientAccumulationSteps()));
    fixed.put("stage", word(arguments.finetuning().stage()));
    fixed.put("finetuning_type", word(arguments.finetuning().type()));
    fixed.put("optim", word(trainer.optimizer().type()));
    fixed.put("quantized", String.valueOf(arguments.model().quantized()));
    fixed.put("quantize_head", String.valueOf(arguments.model().quantization().head()));
    fixed.put("saved for the backward pass", TrainPrograms.saved(arguments.model()).toString());
    fixed.put("activation_dtype", String.valueOf(arguments.model().activations()));
    fixed.put("training data", DataDigest.of(examples));
    fixed.put("neat_packing", String.valueOf(arguments.data().neatPacking()));
    fixed.put("disable_shuffling", String.valueOf(arguments.finetuning().disableShuffling()));
    fixed.put("dataloader_drop_last", String.valueOf(trainer.dropLast()));
    Quantization quantization = arguments.model().quantization();
    fixed.put("double_quantization",
        String.valueOf((quantization.projections() || quantization.head()) && quantization.nested()));
    return fixed;
  }

  /** A choice as the configuration spells it. */
  private static String word(Enum<?> choice) {
    return choice.name().toLowerCase(Locale.ROOT);
  }
}
