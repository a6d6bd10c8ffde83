package dev.jqlora.training.evaluate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.inference.LoadedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.BiPredicate;
import java.util.function.Supplier;

/**
 * One variant while it is evaluated.
 *
 * @param digest of the base model and the adapter
 * @param products what the backend may round the factors of matrix products to
 * @param model gives the model, loading it where it is first asked for: a run whose results are all there needs none
 */
record VariantRun(Variant variant, String digest, DType products, Supplier<LoadedModel> model,
    EvaluationSettings settings, EvaluationListener listener) {
  private static final int DIGITS = 12;

  /** The file of a part's results. Its name tells by a digest what they depend on, so others' are never continued. */
  Path file(String part, String partDigest) {
    Digest all = new Digest().add(digest).add(settings.base().quantization().toString()).add(part).add(partDigest);
    String hex = (products == DType.F32 ? all : all.add(products.name())).hex();
    return settings.output().resolve("%s-%s-%s.jsonl".formatted(variant.name(), part, hex.substring(0, DIGITS)));
  }

  /** Opens a part's log, empty where results are to be made anew. */
  ResultLog log(Path file, BiPredicate<Integer, ObjectNode> expected) {
    if (settings.overwrite()) {
      try {
        Files.deleteIfExists(file);
      } catch (IOException e) {
        throw FileErrors.cannotWrite(file, e);
      }
    }
    return ResultLog.open(file, expected);
  }
}
