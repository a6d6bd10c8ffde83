package dev.jqlora.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.generate.Generator;
import dev.jqlora.llama.generate.Sampling;
import dev.jqlora.llama.generate.TokenListener;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.score.Perplexity;
import dev.jqlora.llama.score.Scorer;
import dev.jqlora.training.config.TrainingArguments;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.StreamSupport;

/**
 * What PyTorch computed on a small real model, compared with what a backend computes. The folder holds the model as {@code
 * stories260K}, the same with NF4 weights as {@code golden/model-bnb-4bit}, {@code golden/generation.json} (a list of
 * {@code prompt_ids} and {@code greedy_ids}), {@code golden/nll.json} (a list of {@code ids}, {@code mean_nll} and {@code
 * mean_nll_nf4}), and in {@code golden/lora} an adapter {@code initial}, {@code batches.json} (updates of micro-batches of
 * sequences) and {@code log-float32.json} and {@code log-nf4.json} (each update's {@code loss} and {@code grad_norm}).
 *
 * @param work where the training runs write
 */
record Goldens(Path folder, Path work) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MODEL = "stories260K";
  private static final int CONTEXT = 512;
  private static final int STEPS = 12;
  /** Of mean negative log likelihoods, where factors are float32. */
  private static final double FLOAT_TOLERANCE = 1e-4;
  private static final double NF4_TOLERANCE = 1e-3;
  /**
   * The same where factors are rounded to bfloat16. A token's likelihood is off by what its logit is off against the others',
   * and the texts have 44 tokens and more to average over. Measured with the kernels for tensor cores: 4.1e-3 at most in three
   * texts by three models, and 2.5e-3 from one model to another whose weights differ in their last bits, so that is noise.
   * Twice the largest is allowed, rounded up.
   */
  private static final double ROUNDED_TOLERANCE = 1e-2;

  Finding.Result check(Backend backend, ObjectNode figures) {
    List<String> wrong = new ArrayList<>();
    boolean rounds = backend.products() == DType.BF16;
    int different = generation(backend);
    String greedy = "%d greedy texts differ from PyTorch's".formatted(different);
    // Where factors are rounded, a token that is hardly likelier than the next may lose.
    if (different > 0 && !rounds) {
      wrong.add(greedy);
    }
    double plain = likelihoods(backend, MODEL, Quantization.NONE, "mean_nll");
    double nf4 = Math.max(likelihoods(backend, MODEL, Quantization.NF4, "mean_nll_nf4"),
        likelihoods(backend, "golden/model-bnb-4bit", Quantization.NONE, "mean_nll_nf4"));
    figures.put("mean_nll_difference", plain).put("mean_nll_nf4_difference", nf4);
    String text = String.format(Locale.ROOT, "mean nll within %.1e of PyTorch's in float32, %.1e in NF4", plain, nf4);
    double mostPlain = rounds ? ROUNDED_TOLERANCE : FLOAT_TOLERANCE;
    double mostNf4 = rounds ? ROUNDED_TOLERANCE : NF4_TOLERANCE;
    if (!(plain <= mostPlain && nf4 <= mostNf4)) {
      wrong.add(String.format(Locale.ROOT, "%s; expected %.0e and %.0e", text, mostPlain, mostNf4));
    }
    String training = training(backend, figures, wrong);
    return Finding.Result.of(wrong, greedy + "; " + text + "; " + training, "", figures);
  }

  /** Twelve updates of adapters, in float32 and on an NF4 base. */
  private String training(Backend backend, ObjectNode figures, List<String> wrong) {
    writeDataset();
    double loss = 0;
    double norm = 0;
    int tokens = Integer.MAX_VALUE;
    for (String kind : List.of("float32", "nf4")) {
      Path model = folder.resolve(MODEL);
      List<String> words = new ArrayList<>(List.of("model_name_or_path=" + model, "stage=sft", "do_train=true",
          "dataset=golden", "dataset_dir=" + work, "output_dir=" + work.resolve(kind), "overwrite_output_dir=true",
          "adapter_name_or_path=" + folder.resolve("golden/lora/initial"), "per_device_train_batch_size=2",
          "gradient_accumulation_steps=2", "max_steps=" + STEPS, "learning_rate=2e-3", "weight_decay=0.01",
          "warmup_steps=2", "lr_scheduler_type=cosine", "lora_rank=16", "lora_alpha=32", "disable_shuffling=true",
          "optim=adamw_torch", "plot_loss=false", "cutoff_len=2048"));
      if (kind.equals("nf4")) {
        words.add("quantization_bit=4");
      }
      TrainingCurve curve = TrainingCurve.of(TrainingArguments.read(null, words), model, backend);
      TrainingCurve expected = new TrainingCurve(new ArrayList<>(), new ArrayList<>());
      for (JsonNode update : read("lora/log-" + kind + ".json")) {
        tokens = Math.min(tokens, update.get("tokens").asInt());
        expected.losses().add(update.get("loss").asDouble());
        expected.norms().add(update.get("grad_norm").asDouble());
      }
      loss = Math.max(loss, curve.lossDifference(expected));
      norm = Math.max(norm, curve.normDifference(expected));
    }
    figures.put("lora_loss_difference", loss).put("lora_norm_difference", norm);
    String text = String.format(Locale.ROOT, "%d LoRA updates: losses within %.1e, norms within %.1e", STEPS, loss,
        norm);
    Nearness near = Nearness.of(backend, LlamaConfig.read(folder.resolve(MODEL)), STEPS, tokens);
    if (!near.allows(loss, norm)) {
      wrong.add(String.format(Locale.ROOT, "%s; expected %.1e and %.1e", text, near.loss(), near.norm()));
    }
    return text;
  }

  /** The golden run's sequences as a dataset, in its order. */
  private void writeDataset() {
    StringBuilder rows = new StringBuilder();
    for (JsonNode update : read("lora/batches.json").get("batches")) {
      for (JsonNode batch : update) {
        for (JsonNode row : batch) {
          rows.append("{\"input_ids\": ").append(row.get("input_ids")).append(", \"labels\": ")
              .append(row.get("labels")).append("}\n");
        }
      }
    }
    AtomicFile.write(work.resolve("golden.jsonl"), rows.toString());
    AtomicFile.write(work.resolve("dataset_info.json"), """
        {"golden": {"file_name": "golden.jsonl", "formatting": "tokenized",
                    "columns": {"input_ids": "input_ids", "labels": "labels"}}}
        """);
  }

  private JsonNode read(String file) {
    Path path = folder.resolve("golden").resolve(file);
    try {
      return JSON.readTree(path.toFile());
    } catch (IOException e) {
      throw FileErrors.cannotRead(path, e);
    }
  }

  private static int[] ints(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }

  private LoadedModel open(Backend backend, String model, Quantization quantization) {
    return LoadedModel.open(backend, Long.MAX_VALUE, folder.resolve(model),
        new LoadedModel.Options(quantization, CONTEXT, Optional.empty()), _ -> {
        });
  }

  /** How many texts are not PyTorch's. */
  private int generation(Backend backend) {
    int different = 0;
    try (LoadedModel model = open(backend, MODEL, Quantization.NONE)) {
      Generator generator = new Generator(model, CONTEXT);
      for (JsonNode example : read("generation.json")) {
        int[] expected = ints(example.get("greedy_ids"));
        int[] ids = generator.generate(ints(example.get("prompt_ids")),
            new Generator.Options(Sampling.GREEDY, expected.length, Set.of()), TokenListener.NONE).ids().stream()
            .mapToInt(id -> id).toArray();
        different += Arrays.equals(expected, ids) ? 0 : 1;
      }
    }
    return different;
  }

  /** The largest distance of a mean negative log likelihood from PyTorch's. */
  private double likelihoods(Backend backend, String folder, Quantization quantization, String key) {
    double largest = 0;
    try (LoadedModel model = open(backend, folder, quantization)) {
      Scorer scorer = new Scorer(model, 2 * CONTEXT);
      for (JsonNode example : read("nll.json")) {
        Perplexity perplexity = Perplexity.of(ints(example.get("ids")), new Perplexity.Windows(CONTEXT, CONTEXT / 2),
            scorer, _ -> {
            });
        largest = Math.max(largest, Math.abs(perplexity.meanNll() - example.get(key).doubleValue()));
      }
    }
    return largest;
  }
}
