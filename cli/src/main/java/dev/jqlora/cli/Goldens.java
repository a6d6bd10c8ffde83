package dev.jqlora.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.generate.Generator;
import dev.jqlora.llama.generate.Sampling;
import dev.jqlora.llama.generate.TokenListener;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.score.Perplexity;
import dev.jqlora.llama.score.Scorer;
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
 * {@code prompt_ids} and {@code greedy_ids}) and {@code golden/nll.json} (a list of {@code ids}, {@code mean_nll} and {@code
 * mean_nll_nf4}).
 */
record Goldens(Path folder) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MODEL = "stories260K";
  private static final int CONTEXT = 512;
  private static final double FLOAT_TOLERANCE = 1e-4;
  private static final double NF4_TOLERANCE = 1e-3;

  Finding.Result check(Backend backend, ObjectNode figures) {
    List<String> wrong = new ArrayList<>();
    generation(backend, wrong);
    double plain = likelihoods(backend, MODEL, Quantization.NONE, "mean_nll");
    double nf4 = Math.max(likelihoods(backend, MODEL, Quantization.NF4, "mean_nll_nf4"),
        likelihoods(backend, "golden/model-bnb-4bit", Quantization.NONE, "mean_nll_nf4"));
    figures.put("mean_nll_difference", plain).put("mean_nll_nf4_difference", nf4);
    String text = String.format(Locale.ROOT, "mean nll within %.1e of PyTorch's in float32, %.1e in NF4", plain, nf4);
    if (!(plain <= FLOAT_TOLERANCE && nf4 <= NF4_TOLERANCE)) {
      wrong.add("%s; expected %.0e and %.0e".formatted(text, FLOAT_TOLERANCE, NF4_TOLERANCE));
    }
    return Finding.Result.of(wrong, "greedy text is PyTorch's; " + text, "", figures);
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

  private void generation(Backend backend, List<String> wrong) {
    try (LoadedModel model = open(backend, MODEL, Quantization.NONE)) {
      Generator generator = new Generator(model, CONTEXT);
      for (JsonNode example : read("generation.json")) {
        int[] expected = ints(example.get("greedy_ids"));
        int[] ids = generator.generate(ints(example.get("prompt_ids")),
            new Generator.Options(Sampling.GREEDY, expected.length, Set.of()), TokenListener.NONE).ids().stream()
            .mapToInt(id -> id).toArray();
        if (!Arrays.equals(expected, ids)) {
          wrong.add("greedy text differs from PyTorch's at token %d of \"%s\"".formatted(Arrays.mismatch(expected, ids),
              example.path("prompt").asText()));
        }
      }
    }
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
