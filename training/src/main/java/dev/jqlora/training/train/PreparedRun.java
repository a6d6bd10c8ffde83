package dev.jqlora.training.train;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.config.TrainerArguments;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.data.BatchPlan;
import dev.jqlora.training.data.Datasets;
import dev.jqlora.training.data.Example;
import dev.jqlora.training.run.OutputDirectory;
import dev.jqlora.training.run.RunPlan;
import dev.jqlora.training.run.RunStart;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What is settled of a run before any weight is read.
 *
 * @param start where it begins
 * @param batches the order of the examples
 * @param totalSteps optimizer steps of the whole run; 0 where nothing is trained
 * @param shape the sizes that decide about memory
 * @param memory what it will take, which fits
 */
record PreparedRun(RunStart start, Datasets datasets, BatchPlan batches, int totalSteps, RunShape shape,
    MemoryPlan memory) {
  /** Reads the data and plans; throws JqloraException for what cannot be run. */
  static PreparedRun of(TrainingArguments arguments, TrainedModel model, Backend backend, TrainingListener listener) {
    TrainerArguments trainer = arguments.trainer();
    RunStart start = start(arguments, model);
    start.notices().forEach(listener::notice);
    listener.phase("reading the data");
    Datasets datasets = Datasets.load(arguments.data(), arguments.finetuning().stage(), trainer.dataSeed(),
        model.tokenizer());
    datasets.notices().forEach(listener::notice);
    examples(datasets).forEach(example -> checkIds(example, model.config().vocabSize()));
    int longest = examples(datasets).mapToInt(Example::length).max().orElse(1);
    noteContext(longest, model.config().maxPositions(), listener);
    // Where nothing is trained there is no batch to plan; a plan of one example stands for none.
    BatchPlan batches = new BatchPlan(trainer.doTrain() ? datasets.train().size() : 1, trainer.trainBatchSize(),
        trainer.gradientAccumulationSteps(), trainer.dropLast() && trainer.doTrain(),
        !arguments.finetuning().disableShuffling(), trainer.dataSeed());
    int totalSteps = trainer.doTrain() ? batches.totalUpdates(trainer.epochs(), trainer.maxSteps()) : 0;
    RunShape shape = RunShape.of(arguments, model.layout(longest), trainTokens(datasets, trainer),
        evaluationTokens(datasets, trainer), backend.products());
    return new PreparedRun(start, datasets, batches, totalSteps, shape,
        memory(shape, backend, arguments.engine().deviceMemoryBytes(), listener));
  }

  private static RunStart start(TrainingArguments arguments, TrainedModel model) {
    TrainerArguments trainer = arguments.trainer();
    if (!trainer.doTrain()) {
      return new RunStart(Optional.empty(), false, List.of());
    }
    List<Path> inputs = new ArrayList<>(List.of(model.folder()));
    Optional.ofNullable(arguments.model().adapter()).ifPresent(inputs::add);
    return OutputDirectory.prepare(trainer.outputDir(), trainer.overwriteOutputDir(), trainer.resumeFrom(), inputs);
  }

  private static Stream<Example> examples(Datasets datasets) {
    return Stream.concat(datasets.train().stream(), datasets.evaluation().values().stream().flatMap(List::stream));
  }

  private static void checkIds(Example example, int vocab) {
    IntStream targets = Arrays.stream(example.labels()).filter(label -> label != Example.IGNORED);
    IntStream.concat(Arrays.stream(example.inputIds()), targets).filter(id -> id < 0 || id >= vocab).findFirst()
        .ifPresent(id -> {
          throw new JqloraException(Kind.DATA,
              "a sequence holds token id %d, but the model's ids are 0 to %d; expected data made with this model's tokenizer"
                  .formatted(id, vocab - 1));
        });
  }

  /** As the reference, which trains beyond the context too, but not without a word. */
  private static void noteContext(int longest, int positions, TrainingListener listener) {
    if (longest > positions) {
      listener.notice("the longest sequence has %,d tokens, the model's context %,d; expected cutoff_len up to that"
          .formatted(longest, positions));
    }
  }

  private static RunShape.Tokens trainTokens(Datasets datasets, TrainerArguments trainer) {
    return RunShape.Tokens.most(datasets.train().stream().mapToInt(Example::length), trainer.trainBatchSize());
  }

  private static RunShape.Tokens evaluationTokens(Datasets datasets, TrainerArguments trainer) {
    return datasets.evaluation().values().stream()
        .map(examples -> RunShape.Tokens.inOrder(examples.stream().map(Example::length).toList(),
            trainer.evalBatchSize()))
        .reduce(RunShape.Tokens.NONE, RunShape.Tokens::max);
  }

  /** Refuses a run that cannot fit. */
  private static MemoryPlan memory(RunShape shape, Backend backend, @Nullable Long given, TrainingListener listener) {
    long free = backend.availableBytes();
    long limit = given == null ? free : Math.min(given, free);
    MemoryPlanner planner = new MemoryPlanner(backend);
    MemoryPlan planned = planner.plan(shape, limit);
    if (!planned.fits()) {
      List<MemoryAdvice.Option> advice = MemoryAdvice.of(planner, shape, limit);
      listener.refused(planned, advice);
      String what = given != null && given == limit ? "device_memory is %s: raise it, or " : "the device has %s free: ";
      throw new JqloraException(Kind.MEMORY, "the run takes at least %s of device memory, and ".formatted(
          MemoryPlan.text(planned.leastBytes())) + what.formatted(MemoryPlan.text(limit)) + MemoryAdvice.line(advice));
    }
    return planned;
  }

  /** The sizes that the run states of itself. */
  RunPlan plan(TrainerArguments trainer) {
    int epochs = (int) Math.ceil(trainer.maxSteps() > 0
        ? trainer.maxSteps() / (double) batches.updatesPerEpoch()
        : trainer.epochs());
    return new RunPlan(Math.max(1, totalSteps), epochs, trainer.evaluation().everySteps(totalSteps),
        trainer.logging().everySteps(totalSteps), trainer.saving().interval().everySteps(totalSteps),
        trainer.trainBatchSize());
  }
}
