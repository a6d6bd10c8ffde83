package dev.jqlora.training.train;

import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.ModelLoader;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.OptimizerArguments;
import dev.jqlora.training.config.TrainerArguments;
import dev.jqlora.training.config.TrainingArguments;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * All that decides how much device memory a run takes.
 *
 * @param freshAdapter whether the adapter's rank is the run's to choose
 * @param activations what the layers store theirs as
 * @param train the largest micro-batch; {@link Tokens#NONE} where nothing is trained
 * @param evaluation the largest batch of an evaluation; NONE where there is none
 * @param predictions whether evaluation asks for the likeliest ids too
 */
public record RunShape(ModelLayout layout, FinetuningType type, boolean freshAdapter, SavePolicy save,
    DType activations, OptimizerArguments optimizer, Tokens train, Tokens evaluation, boolean predictions) {
  /**
   * The size of a batch.
   *
   * @param sequences in the batch
   * @param longest tokens of the longest sequence of all batches
   * @param total the most tokens that a batch has
   */
  public record Tokens(int sequences, int longest, int total) {
    public static final Tokens NONE = new Tokens(0, 0, 0);

    /** A batch whose sequences are all of one length. */
    public static Tokens of(int sequences, int length) {
      return new Tokens(sequences, length, Math.multiplyExact(sequences, length));
    }

    /**
     * The most that any choice of sequences makes.
     *
     * @param lengths of all sequences
     * @param sequences in a batch
     */
    static Tokens most(IntStream lengths, int sequences) {
      int[] ascending = lengths.sorted().toArray();
      int first = Math.max(0, ascending.length - sequences);
      return ascending.length == 0
          ? NONE
          : new Tokens(sequences, ascending[ascending.length - 1],
              Arrays.stream(ascending, first, ascending.length).sum());
    }

    /** The most of batches that are cut from a list in its order. */
    static Tokens inOrder(List<Integer> lengths, int sequences) {
      Tokens most = NONE;
      for (int first = 0; first < lengths.size(); first += sequences) {
        List<Integer> batch = lengths.subList(first, Math.min(lengths.size(), first + sequences));
        most = most.max(most(batch.stream().mapToInt(Integer::intValue), sequences));
      }
      return most;
    }

    @Override
    public String toString() {
      return String.format(Locale.ROOT, "%d × %,d tokens", sequences, longest)
          + (total == sequences * longest ? "" : String.format(Locale.ROOT, ", together %,d", total));
    }

    /** Of both, the greater figures. */
    Tokens max(Tokens other) {
      return new Tokens(Math.max(sequences, other.sequences), Math.max(longest, other.longest),
          Math.max(total, other.total));
    }

    boolean isNone() {
      return total == 0;
    }

    /** One sequence at a time. */
    Tokens single() {
      return isNone() ? NONE : of(1, longest);
    }

    /** With all sequences cut to a length. */
    Tokens cut(int length) {
      return length >= longest ? this : new Tokens(sequences, length, Math.min(total, sequences * length));
    }
  }

  /** What to make of a model's weights. */
  static ModelLoader.Options loading(TrainingArguments arguments, int positions) {
    return new ModelLoader.Options(arguments.model().quantization(),
        arguments.finetuning().type() == FinetuningType.FULL, positions);
  }

  /**
   * A run of a configuration.
   *
   * @param train the largest micro-batch, whether or not the configuration trains
   * @param evaluation the largest batch of its evaluation, whether or not it evaluates
   * @param products what the backend rounds the factors of matrix products to
   */
  static RunShape of(TrainingArguments arguments, ModelLayout layout, Tokens train, Tokens evaluation, DType products) {
    return new RunShape(layout, arguments.finetuning().type(), arguments.model().adapter() == null,
        TrainPrograms.saved(arguments.model()), TrainPrograms.activations(arguments.model(), products),
        arguments.trainer().optimizer(), arguments.trainer().doTrain() ? train : Tokens.NONE,
        arguments.trainer().doEval() ? evaluation : Tokens.NONE, arguments.finetuning().computeAccuracy());
  }

  /**
   * A run of which only the configurations are at hand: all sequences are as long as may be.
   *
   * @param checkpoint the model's weights, where they are there: then how they are stored is read, not expected
   * @param adapter that the configuration names; where absent, one as it describes
   * @param tokens in a batch, as one sequence; where absent, sequences of cutoff_len, as many as the batch sizes say
   * @param products what the backend rounds the factors of matrix products to
   */
  public static RunShape of(TrainingArguments arguments, LlamaConfig config, Optional<Checkpoint> checkpoint,
      Optional<AdapterConfig> adapter, OptionalInt tokens, DType products) {
    TrainedModel.requireTrainable(arguments, config);
    int longest = tokens.orElse(arguments.data().cutoffLen());
    ModelLoader.Options options = loading(arguments, longest);
    Optional<LoraSpec> lora = arguments.finetuning().type() == FinetuningType.LORA
        ? Optional.of(adapter.orElseGet(() -> TrainedModel.fresh(arguments)).spec())
        : Optional.empty();
    ModelLayout layout = checkpoint.map(weights -> new ModelLoader(config, weights).layout(options, lora))
        .orElseGet(() -> ModelLoader.expected(config, options, lora));
    TrainerArguments trainer = arguments.trainer();
    return of(arguments, layout, Tokens.of(tokens.isPresent() ? 1 : trainer.trainBatchSize(), longest),
        Tokens.of(tokens.isPresent() ? 1 : trainer.evalBatchSize(), longest), products);
  }

  /** The states that are trained; none where the run only evaluates. */
  List<Trainable> trainables() {
    return train.isNone() ? List.of() : Trainable.of(layout, type);
  }

  /** In a line for people. */
  @Override
  public String toString() {
    List<String> parts = new ArrayList<>();
    if (!train.isNone()) {
      String ranks = layout.lora().map(lora -> " of rank " + String.join("/",
          lora.ranks().values().stream().distinct().sorted().map(String::valueOf).toList())).orElse("");
      parts.add("training %s%s with %s".formatted(type == FinetuningType.LORA ? "adapters" : "all weights", ranks,
          optimizer.type().name().toLowerCase(Locale.ROOT)));
      parts.add("%s%s".formatted(train, saving()));
    }
    if (activations == DType.BF16) {
      parts.add("activations in bfloat16");
    }
    if (!evaluation.isNone()) {
      parts.add("evaluation of " + evaluation);
    }
    return parts.isEmpty() ? "neither training nor evaluation" : String.join(", ", parts);
  }

  private String saving() {
    return switch (save) {
      case NOTHING -> ", gradient checkpointing";
      case ROUNDED -> ", gradient checkpointing from bfloat16";
      case ATTENTION -> ", gradient checkpointing but for attention";
      case EVERYTHING -> "";
    };
  }

  RunShape with(ModelLayout other) {
    return new RunShape(other, type, freshAdapter, save, activations, optimizer, train, evaluation, predictions);
  }

  RunShape with(SavePolicy other) {
    return new RunShape(layout, type, freshAdapter, other, activations, optimizer, train, evaluation, predictions);
  }

  RunShape with(OptimizerArguments other) {
    return new RunShape(layout, type, freshAdapter, save, activations, other, train, evaluation, predictions);
  }

  RunShape withActivations(DType other) {
    return new RunShape(layout, type, freshAdapter, save, other, optimizer, train, evaluation, predictions);
  }

  RunShape with(Tokens otherTrain, Tokens otherEvaluation) {
    return new RunShape(layout, type, freshAdapter, save, activations, optimizer, otherTrain, otherEvaluation,
        predictions);
  }
}
