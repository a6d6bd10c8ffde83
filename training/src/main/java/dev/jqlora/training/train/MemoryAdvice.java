package dev.jqlora.training.train;

import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.model.WeightFormat;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.OptimizerType;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * What would make a run fit, in the order to try: first what gives the same numbers, then what gives slightly other ones,
 * then what makes it another run. Every figure is of a plan that was made again.
 */
public final class MemoryAdvice {
  /**
   * A change to the configuration.
   *
   * @param setting the keys to change, as they are written on the command line
   * @param effect what else it does
   * @param savedBytes of the least memory, where it is the only change; where that saves nothing, of what the changes
   *     before it leave
   * @param alone whether it saves that as the only change
   * @param leastBytes the least memory with this change and all those before it
   * @param fits whether that is within the limit
   */
  public record Option(String setting, String effect, long savedBytes, boolean alone, long leastBytes,
      boolean fits) {}

  private record Change(String setting, String effect, Function<RunShape, Optional<RunShape>> apply) {}

  private static final int SHORTEST = 64;
  private static final Change SINGLE_EVALUATION = new Change("per_device_eval_batch_size=1",
      "eval_loss weighs examples, not batches",
      shape -> changeIf(shape.evaluation().sequences() > 1,
          () -> shape.with(shape.train(), shape.evaluation().single())));

  private final MemoryPlanner planner;
  private final RunShape run;
  private final long limitBytes;
  private final long wholeBytes;

  private MemoryAdvice(MemoryPlanner planner, RunShape run, long limitBytes) {
    this.planner = planner;
    this.run = run;
    this.limitBytes = limitBytes;
    this.wholeBytes = planner.plan(run, limitBytes).leastBytes();
  }

  /** The options for a run that does not fit, up to the first with which it does; all of them where it never does. */
  public static List<Option> of(MemoryPlanner planner, RunShape run, long limitBytes) {
    return new MemoryAdvice(planner, run, limitBytes).options();
  }

  /** The options in one line; of a key that two of them set, the later value. */
  static String line(List<Option> options) {
    if (options.isEmpty()) {
      return "choose a smaller model";
    }
    SequencedMap<String, String> words = new LinkedHashMap<>();
    for (Option option : options) {
      for (String word : option.setting().split(" ", -1)) {
        words.put(word.substring(0, word.indexOf('=')), word);
      }
    }
    String settings = String.join(" ", words.values());
    return options.getLast().fits()
        ? "set " + settings
        : "choose a smaller model: with %s it still takes %s".formatted(settings,
            MemoryPlan.text(options.getLast().leastBytes()));
  }

  private List<Option> options() {
    List<Option> options = new ArrayList<>();
    RunShape changed = run;
    long left = wholeBytes;
    for (Change change : changes()) {
      Optional<RunShape> next = change.apply().apply(changed);
      long least = next.map(this::leastBytes).orElse(left);
      if (next.isEmpty() || least >= left) {
        continue;
      }
      Option option = option(change.setting(), change.effect(), change.apply().apply(run), left, least);
      options.add(option);
      changed = next.get();
      left = least;
      if (option.fits()) {
        return options;
      }
    }
    shorter(changed, left).ifPresent(options::add);
    return options;
  }

  /**
   * @param alone the run with this change only, where it can have it
   * @param left least bytes with the changes before it
   * @param least with those and this one
   */
  private Option option(String setting, String effect, Optional<RunShape> alone, long left, long least) {
    long saved = wholeBytes - alone.map(this::leastBytes).orElse(wholeBytes);
    return new Option(setting, effect, saved > 0 ? saved : left - least, saved > 0, least,
        least <= limitBytes);
  }

  private long leastBytes(RunShape changed) {
    return planner.plan(changed, limitBytes).leastBytes();
  }

  private List<Change> changes() {
    return List.of(
        new Change("disable_gradient_checkpointing=false carry_dtype=float32",
            "the same numbers; each layer is computed twice",
            shape -> changeIf(shape.save() == SavePolicy.EVERYTHING, () -> shape.with(SavePolicy.NOTHING))),
        SINGLE_EVALUATION,
        new Change("per_device_train_batch_size=1", "the same gradients with gradient_accumulation_steps multiplied",
            shape -> changeIf(shape.train().sequences() > 1,
                () -> shape.with(shape.train().single(), shape.evaluation()))),
        SINGLE_EVALUATION,
        optimizer(OptimizerType.ADAMW_TORCH, OptimizerType.PAGED_ADAMW_32BIT),
        optimizer(OptimizerType.ADAMW_8BIT, OptimizerType.PAGED_ADAMW_8BIT),
        new Change("carry_dtype=bfloat16", "gradients from rounded layer inputs",
            shape -> changeIf(shape.save() == SavePolicy.NOTHING, () -> shape.with(SavePolicy.ROUNDED))),
        new Change("activation_dtype=bfloat16", "values between the ops of a layer rounded to bfloat16",
            shape -> changeIf(shape.activations() == DType.F32 && planner.products() == DType.BF16,
                () -> shape.withActivations(DType.BF16))),
        new Change("quantization_bit=4 double_quantization=true", "weights in 4 bits", this::quantized),
        new Change("optim=paged_adamw_8bit", "moments in 8 bits",
            shape -> changeIf(shape.optimizer().type() != OptimizerType.PAGED_ADAMW_8BIT,
                () -> shape.with(shape.optimizer().withType(OptimizerType.PAGED_ADAMW_8BIT)))),
        new Change("quantize_head=true", "less exact logits", this::quantizedHead),
        new Change("lora_rank=%d".formatted(halfRank()), "smaller adapters", this::halvedRank));
  }

  private static Change optimizer(OptimizerType resident, OptimizerType paged) {
    return new Change("optim=" + paged.name().toLowerCase(Locale.ROOT),
        "the same numbers; moments leave for the host where they do not fit",
        shape -> changeIf(!shape.train().isNone() && shape.optimizer().type() == resident,
            () -> shape.with(shape.optimizer().withType(paged))));
  }

  private static Optional<RunShape> changeIf(boolean applies, Supplier<RunShape> changed) {
    return applies ? Optional.of(changed.get()) : Optional.empty();
  }

  private Optional<RunShape> quantized(RunShape shape) {
    Map<Projection, WeightFormat> formats = new EnumMap<>(Projection.class);
    shape.layout().formats().forEach((projection, format) -> formats.put(projection,
        switch (format) {
          case WeightFormat.Nf4(int block, boolean _, Optional<DType> source) ->
            new WeightFormat.Nf4(block, true, source);
          case WeightFormat.Plain(DType dtype) ->
            new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, true, Optional.of(dtype));
        }));
    boolean applies = shape.type() == FinetuningType.LORA && !formats.equals(shape.layout().formats())
        && shape.layout().config().quantization().isEmpty();
    return changeIf(applies, () -> shape.with(shape.layout().withFormats(formats)));
  }

  private Optional<RunShape> quantizedHead(RunShape shape) {
    boolean nested = shape.layout().formats().values().stream()
        .noneMatch(format -> format instanceof WeightFormat.Nf4(int _, boolean twice, Optional<DType> _) && !twice);
    return shape.type() == FinetuningType.LORA && shape.layout().head() instanceof WeightFormat.Plain(DType dtype)
        ? Optional.of(shape.with(shape.layout()
            .withHead(new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, nested, Optional.of(dtype)))))
        : Optional.empty();
  }

  private int halfRank() {
    return Math.max(1, run.layout().lora().stream().flatMap(lora -> lora.ranks().values().stream())
        .mapToInt(Integer::intValue).max().orElse(1) / 2);
  }

  private Optional<RunShape> halvedRank(RunShape shape) {
    Optional<LoraSpec> lora = shape.layout().lora();
    int rank = halfRank();
    boolean applies = shape.freshAdapter()
        && lora.map(spec -> spec.ranks().values().stream().anyMatch(given -> given > rank)).orElse(false);
    return changeIf(applies, () -> {
      SequencedMap<Projection, Integer> ranks = new LinkedHashMap<>();
      lora.orElseThrow().ranks().forEach((projection, given) -> ranks.put(projection, Math.min(given, rank)));
      LoraSpec smaller = new LoraSpec(ranks, lora.orElseThrow().scales(), lora.orElseThrow().dropout());
      return shape.with(shape.layout().withLora(Optional.of(smaller)));
    });
  }

  /** The longest sequences that fit together with all other changes; the shortest of all where none do. */
  private Optional<Option> shorter(RunShape shape, long left) {
    int longest = Math.max(shape.train().longest(), shape.evaluation().longest());
    int fits = 1;
    // Where the shortest does not fit, as with a model that is far too large, no other need be planned.
    int tooLong = leastBytes(cut(shape, SHORTEST)) <= limitBytes ? Math.ceilDiv(longest, SHORTEST) : 1;
    while (tooLong - fits > 1) {
      int middle = (fits + tooLong) / 2;
      if (leastBytes(cut(shape, middle * SHORTEST)) <= limitBytes) {
        fits = middle;
      } else {
        tooLong = middle;
      }
    }
    int length = fits * SHORTEST;
    if (length >= longest) {
      return Optional.empty();
    }
    return Optional.of(option("cutoff_len=" + length, "shorter sequences", Optional.of(cut(run, length)), left,
        leastBytes(cut(shape, length))));
  }

  private static RunShape cut(RunShape shape, int length) {
    ModelLayout layout = shape.layout();
    return shape.with(layout.withPositions(Math.min(length, layout.positions())))
        .with(shape.train().cut(length), shape.evaluation().cut(length));
  }
}
