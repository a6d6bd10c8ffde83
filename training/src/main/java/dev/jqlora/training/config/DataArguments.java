package dev.jqlora.training.config;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which rows are read and how they become token sequences.
 *
 * @param dataset names in dataset_info.json; empty where nothing is trained
 * @param evalDataset names in dataset_info.json; may be empty
 * @param template name of the template, or null where none is given (which means {@code empty})
 * @param cutoffLen longest sequence in tokens; one less than the YAML says where packing is asked for explicitly
 * @param maxSamples rows to take of each dataset, or null for all
 * @param packing whether sequences are filled with several rows: as given, else true for stage pt
 * @param valSize rows to split off for evaluation: below 1 a share, above 1 a count, 0 none
 * @param interleaveProbs shares of the datasets, or empty for strict turns
 * @param defaultSystem system text of rows without one, or null for the template's
 */
public record DataArguments(List<String> dataset, List<String> evalDataset, Path datasetDir, @Nullable String template,
    int cutoffLen, @Nullable Integer maxSamples, boolean packing, boolean neatPacking, boolean trainOnPrompt,
    boolean maskHistory, double valSize, boolean evalOnEachDataset, MixStrategy mixStrategy,
    List<Double> interleaveProbs, int preprocessingBatchSize, @Nullable String defaultSystem) {
  static DataArguments of(Values values) {
    boolean neatPacking = values.get(Keys.NEAT_PACKING);
    Boolean packing = values.orNull(Keys.PACKING);
    boolean explicit = neatPacking || Boolean.TRUE.equals(packing);
    boolean packs = explicit || (packing == null && values.get(Keys.STAGE) == Stage.PT);
    var shares = listOf(values.orNull(Keys.INTERLEAVE_PROBS));
    checkDatasets(values);
    checkMix(values, shares);
    return new DataArguments(listOf(values.orNull(Keys.DATASET)), listOf(values.orNull(Keys.EVAL_DATASET)),
        Path.of(values.get(Keys.DATASET_DIR)), values.orNull(Keys.TEMPLATE),
        values.get(Keys.CUTOFF_LEN) - (explicit ? 1 : 0), values.orNull(Keys.MAX_SAMPLES), packs, neatPacking,
        values.get(Keys.TRAIN_ON_PROMPT), values.get(Keys.MASK_HISTORY), values.get(Keys.VAL_SIZE),
        values.get(Keys.EVAL_ON_EACH_DATASET), values.get(Keys.MIX_STRATEGY), shares,
        values.get(Keys.PREPROCESSING_BATCH_SIZE), values.orNull(Keys.DEFAULT_SYSTEM));
  }

  private static <T> List<T> listOf(@Nullable List<T> given) {
    return given == null ? List.of() : given;
  }

  private static void checkDatasets(Values values) {
    String folder = values.get(Keys.DATASET_DIR);
    if (folder.equals("ONLINE") || folder.startsWith("REMOTE:")) {
      throw values.error(Keys.DATASET_DIR,
          folder + " is not supported: nothing is downloaded; expected a folder with dataset_info.json");
    }
    if (values.get(Keys.VAL_SIZE) > 0 && values.isGiven(Keys.EVAL_DATASET)) {
      throw values.error(Keys.VAL_SIZE, "cannot be combined with eval_dataset; keep one of the two");
    }
    double size = values.get(Keys.VAL_SIZE);
    if (size > 1 && size != Math.rint(size)) {
      throw values.error(Keys.VAL_SIZE, "expected a share below 1 or a whole number of rows, got " + size);
    }
    if (values.get(Keys.STAGE) != Stage.SFT) {
      for (var key : List.of(Keys.NEAT_PACKING, Keys.TRAIN_ON_PROMPT, Keys.MASK_HISTORY)) {
        if (values.get(key)) {
          throw values.error(key, "cannot be true outside stage sft");
        }
      }
    }
    if (values.get(Keys.TRAIN_ON_PROMPT) && values.get(Keys.MASK_HISTORY)) {
      throw values.error(Keys.MASK_HISTORY, "cannot be combined with train_on_prompt; keep one of the two");
    }
  }

  private static void checkMix(Values values, List<Double> shares) {
    if (shares.isEmpty()) {
      return;
    }
    if (values.get(Keys.MIX_STRATEGY) == MixStrategy.CONCAT) {
      throw values.error(Keys.INTERLEAVE_PROBS, "only valid where mix_strategy is interleave_under, _over or _once");
    }
    List<String> datasets = values.orNull(Keys.DATASET);
    int expected = datasets == null ? 0 : datasets.size();
    if (shares.size() != expected) {
      throw values.error(Keys.INTERLEAVE_PROBS,
          "expected one share per dataset (" + expected + "), got " + shares.size());
    }
    double sum = shares.stream().mapToDouble(Double::doubleValue).sum();
    if (Math.abs(sum - 1) > 1e-6) {
      throw values.error(Keys.INTERLEAVE_PROBS, "expected shares that sum to 1, got " + sum);
    }
  }
}
