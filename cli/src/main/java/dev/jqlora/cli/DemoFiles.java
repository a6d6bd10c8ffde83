package dev.jqlora.cli;

import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.config.Rope;
import dev.jqlora.llama.config.SpecialIds;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.tokenizer.BytePairTrainer;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.LineReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the demo writes before its commands run: tokenizer, shape and configurations of a model that two processor cores
 * can train within a minute. The rates are higher and the blocks shorter than those of the real recipe, for a model ten
 * thousand times smaller.
 *
 * @param folder the demo's folder
 */
record DemoFiles(Path folder) {
  static final String BASE = "base.yaml";
  static final String STAGE1 = "stage1.yaml";
  static final String STAGE2 = "stage2.yaml";
  /** Tokens of a block of text. */
  static final int WINDOW = 128;

  private static final String SECTION_CHARACTERS = "1000";
  private static final String HELD_OUT_EVERY = "12";
  private static final int VOCABULARY = 1024;
  /** The longest question takes less. */
  private static final int POSITIONS = 512;
  private static final Pattern ENTRY = Pattern.compile("(\\w+): *([^#]*?) *(#.*)?");

  Path data() {
    return folder.resolve("data");
  }

  Path random() {
    return folder.resolve("random");
  }

  Path base() {
    return folder.resolve("base");
  }

  Path stage1() {
    return folder.resolve("stage1");
  }

  Path stage2() {
    return folder.resolve("stage2");
  }

  Path shape() {
    return folder.resolve("config.json");
  }

  /** The command line that makes the datasets. */
  String[] preprocessing() {
    return new String[]{"preprocess", "--raw", Home.find("data_clean").toString(), "--out", data().toString(),
        "--section-characters", SECTION_CHARACTERS, "--held-out-every", HELD_OUT_EVERY};
  }

  /** The command line that makes the model of random weights, once it is described. */
  String[] initialization() {
    return new String[]{"init", "--config", shape().toString(), "--out", random().toString(), "--overwrite"};
  }

  /** Learns the tokenizer from all that is trained on, and describes a model with it. */
  BytePairTrainer writeModel() {
    StringBuilder text = new StringBuilder();
    for (String name : List.of("textbooks_pretrain", "medqa_sft")) {
      try (LineReader lines = new LineReader(data().resolve(name + ".jsonl"))) {
        for (String line = lines.next(); line != null; line = lines.next()) {
          var row = Json.object(line, lines.where());
          text.append(row.path("text").asText(row.path("input").asText())).append("\n\n");
        }
      }
    }
    BytePairTrainer tokenizer = BytePairTrainer.learn(text.toString(), VOCABULARY);
    tokenizer.write(random());
    int hiddenSize = 96;
    int heads = 4;
    SpecialIds ids = new SpecialIds(OptionalInt.of(tokenizer.specialId(BytePairTrainer.BEGIN_OF_TEXT)),
        List.of(tokenizer.specialId(BytePairTrainer.END_OF_TEXT)), OptionalInt.empty());
    LlamaConfig shape = new LlamaConfig(tokenizer.vocabSize(), hiddenSize, 3 * hiddenSize, 3, heads, 2,
        hiddenSize / heads, POSITIONS, 1e-5, new Rope(10_000, Optional.empty()), true, 0.02, ids, Optional.empty(),
        Optional.empty());
    AtomicFile.write(shape(), JsonObject.pretty(shape.toJson()));
    return tokenizer;
  }

  /** Pretraining from random weights: stage 1's configuration without what makes it QLoRA, on half of the text. */
  void writeBase() {
    SequencedMap<String, String> changes = small(random(), base());
    changes.put("finetuning_type", "full");
    changes.put("max_samples", "110");
    changes.put("max_steps", "600");
    changes.put("per_device_train_batch_size", "2");
    changes.put("learning_rate", "4.0e-3");
    changes.put("optim", "adamw_torch");
    changes.put("adam_beta2", "0.95");
    write(BASE, "configs/stage1_pretrain.yaml", changes, List.of("quantization_bit", "quantization_method",
        "double_quantization", "lora_rank", "lora_alpha", "lora_dropout", "lora_target"));
  }

  void writeStage1() {
    SequencedMap<String, String> changes = small(base(), stage1());
    changes.put("max_steps", "600");
    changes.put("per_device_train_batch_size", "4");
    changes.put("learning_rate", "1.0e-2");
    changes.put("adam_beta2", "0.95");
    write(STAGE1, "configs/stage1_pretrain.yaml", changes, List.of());
  }

  /** Many epochs: the questions are to be learned by heart, and the last weights are the ones to look at. */
  void writeStage2() {
    SequencedMap<String, String> changes = small(base(), stage2());
    changes.put("adapter_name_or_path", stage1().toString());
    changes.put("cutoff_len", String.valueOf(POSITIONS));
    changes.put("num_train_epochs", "14.0");
    changes.put("per_device_train_batch_size", "4");
    changes.put("learning_rate", "2.0e-3");
    changes.put("adam_beta2", "0.99");
    changes.put("load_best_model_at_end", "false");
    write(STAGE2, "configs/stage2_sft.yaml", changes, List.of());
  }

  /** What all of the demo's runs change. */
  private SequencedMap<String, String> small(Path model, Path output) {
    SequencedMap<String, String> changes = new LinkedHashMap<>();
    changes.put("model_name_or_path", model.toString());
    changes.put("dataset_dir", data().toString());
    changes.put("output_dir", output.toString());
    changes.put("overwrite_output_dir", "true");
    changes.put("cutoff_len", String.valueOf(WINDOW));
    changes.put("gradient_accumulation_steps", "1");
    changes.put("per_device_eval_batch_size", "8");
    changes.put("warmup_ratio", "0.1");
    changes.put("bf16", "false");
    changes.put("disable_gradient_checkpointing", "true");
    changes.put("save_steps", "1000");
    changes.put("eval_steps", "200");
    return changes;
  }

  private void write(String name, String recipe, Map<String, String> changes, List<String> omitted) {
    Path source = Home.find(recipe);
    try {
      AtomicFile.write(folder.resolve(name), derived(recipe, Files.readString(source), changes, omitted));
    } catch (IOException e) {
      throw FileErrors.cannotRead(source, e);
    }
  }

  /**
   * A configuration with some keys changed. A changed line says what stands in the original; its comment, which is about
   * that, goes.
   */
  static String derived(String name, String original, Map<String, String> changes, List<String> omitted) {
    Map<String, String> missing = new LinkedHashMap<>(changes);
    List<String> lines = new ArrayList<>();
    lines.add("# Made by `jqlora demo` from " + name + ".");
    for (String line : original.lines().toList()) {
      Matcher entry = ENTRY.matcher(line);
      boolean isEntry = entry.matches();
      String changed = isEntry ? missing.remove(entry.group(1)) : null;
      if (isEntry && omitted.contains(entry.group(1))) {
        lines.add("# " + entry.group(1) + " is left out; there it is " + entry.group(2));
      } else if (changed != null && !changed.equals(entry.group(2))) {
        lines.add("%s: %s # there %s".formatted(entry.group(1), changed, entry.group(2)));
      } else if (!line.startsWith("#") || line.startsWith("###")) {
        lines.add(line);
      }
    }
    lines.add("");
    lines.add("### Only in the demo");
    missing.forEach((key, value) -> lines.add(key + ": " + value));
    return String.join("\n", lines) + "\n";
  }
}
