package dev.jqlora.training.train;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.op.Dropout;
import dev.jqlora.training.config.Interval;
import dev.jqlora.training.config.IntervalStrategy;
import dev.jqlora.training.config.TrainerArguments;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.data.MicroBatch;
import dev.jqlora.training.run.Best;
import dev.jqlora.training.run.Checkpoints;
import dev.jqlora.training.run.EarlyStopping;
import dev.jqlora.training.run.LogEntry;
import dev.jqlora.training.run.LossSums;
import dev.jqlora.training.run.OutputDirectory;
import dev.jqlora.training.run.ResumeState;
import dev.jqlora.training.run.SavedRun;
import dev.jqlora.training.run.SessionStates;
import dev.jqlora.training.run.Speed;
import dev.jqlora.training.run.TrainerState;
import dev.jqlora.training.schedule.LearningRate;
import dev.jqlora.training.schedule.PlateauState;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * Runs a configuration: reads data and model, then update after update, logging, evaluating and saving as it says. A
 * run that was stopped, by whatever, goes on from its newest checkpoint with the very numbers it would have had.
 */
public final class Trainer {
  /** How a run ended. */
  public record Result(Path outputDir, int steps, int totalSteps, boolean interrupted, double trainLoss,
      Map<String, Double> evaluation, DeviceMemoryUse memory) {}

  /**
   * The most device memory in use at once: as planned before anything was loaded, and as the session counted it.
   */
  public record DeviceMemoryUse(long plannedBytes, long countedBytes) {}

  private final TrainingArguments arguments;
  private final TrainerArguments trainer;
  private final Backend backend;
  private final TrainingListener listener;
  private final TrainedModel model;
  private final PreparedRun prepared;
  /** What must be the same when the run goes on. */
  private final SortedMap<String, String> fixed;
  private final Checkpoints checkpoints;
  private final RunLog log;
  private final TrainingEngine engine;
  private final EvaluationPass evaluation;
  private final long begin = System.nanoTime();
  private LearningRate learningRate;
  private LossSums losses = LossSums.ZERO;
  private PagingCounts loggedPaging = PagingCounts.NONE;
  private TrainerState state;
  private double earlierSeconds;
  private double lastNorm;
  private double lastRate;

  /** Runs a configuration with a base model that lies in a folder. */
  public static Result run(TrainingArguments arguments, Path modelFolder, Backend backend, TrainingListener listener) {
    arguments.notices().forEach(listener::notice);
    try (TrainedModel model = TrainedModel.open(arguments, modelFolder, listener::notice)) {
      Trainer trainer = new Trainer(arguments, model, backend, listener);
      try (RunLog _ = trainer.log) {
        return trainer.explained(trainer::run);
      }
    }
  }

  private Trainer(TrainingArguments arguments, TrainedModel model, Backend backend, TrainingListener listener) {
    this.arguments = arguments;
    this.trainer = arguments.trainer();
    this.backend = backend;
    this.listener = listener;
    this.model = model;
    prepared = PreparedRun.of(arguments, model, backend, listener);
    fixed = FixedSettings.of(arguments, prepared.datasets().train());
    checkpoints = new Checkpoints(trainer.outputDir());
    learningRate = LearningRate.of(trainer.schedule(), trainer.optimizer().learningRate(),
        Math.max(1, prepared.totalSteps()));
    log = new RunLog(arguments, prepared.totalSteps());
    state = new TrainerState(0, 0, false, 0, 0, prepared.plan(trainer), Optional.empty(),
        Optional.ofNullable(arguments.finetuning().earlyStoppingPatience()).map(EarlyStopping::new), List.of());
    listener.phase("loading " + arguments.model().modelNameOrPath());
    engine = explained(this::load);
    evaluation = new EvaluationPass(engine, trainer.evalBatchSize(), arguments.finetuning());
  }

  private TrainingEngine load() {
    RunShape shape = prepared.shape();
    MemoryPlan memory = prepared.memory();
    model.load(backend, shape.layout(),
        memory.isLimited() ? memory.limitBytes() - memory.overheadBytes() : Long.MAX_VALUE);
    Double ratio = arguments.finetuning().loraPlusRatio();
    return new TrainingEngine(model.session(), model.layout(), model.embeddings(), shape.trainables(), shape.save(),
        shape.activations(), trainer.optimizer(), ratio == null ? 1 : ratio);
  }

  /** Where the device has less room than it said before, shows what the memory was for. */
  private <T> T explained(Supplier<T> work) {
    try {
      return work.get();
    } catch (JqloraException e) {
      if (e.kind() == Kind.MEMORY) {
        listener.refused(prepared.memory(), List.of());
      }
      throw e;
    }
  }

  private Result run() {
    Map<String, Double> metrics = new TreeMap<>();
    boolean interrupted = false;
    engine.prepare(prepared.shape());
    if (trainer.doTrain()) {
      if (prepared.start().overwrites()) {
        OutputDirectory.clear(trainer.outputDir()).forEach(listener::notice);
      }
      prepared.start().resume().ifPresent(this::restore);
      listener.started(plan());
      interrupted = train();
    } else {
      listener.started(plan());
    }
    if (!interrupted && trainer.doEval() && !prepared.datasets().evaluation().isEmpty()) {
      metrics.putAll(evaluate());
      log.evaluationResults(metrics, state.epoch());
    }
    return new Result(trainer.outputDir(), state.globalStep(), prepared.totalSteps(), interrupted, meanLoss(), metrics,
        new DeviceMemoryUse(prepared.memory().peakBytes() - prepared.memory().overheadBytes(),
            model.session().peakBytes()));
  }

  private void restore(SavedRun saved) {
    saved.resume().requireSame(fixed, saved.folder());
    model.requireSame(saved.folder(), listener::notice);
    model.restore(saved.folder());
    SessionStates.load(saved.folder().resolve(SessionStates.FILE), model.session(), engine.optimizerStates());
    losses = saved.resume().losses();
    earlierSeconds = saved.resume().elapsedSeconds();
    saved.resume().plateau().ifPresent(this::restore);
    TrainerState before = saved.trainer();
    Optional<Best> best = before.best()
        .map(known -> new Best(known.metric(), known.step(),
            known.checkpoint().flatMap(named -> Checkpoints.find(named, saved.folder())).map(Path::toString)));
    Optional<EarlyStopping> stopping = state.earlyStopping()
        .map(rule -> before.earlyStopping().map(rule::goingOnFrom).orElse(rule));
    state = new TrainerState(before.globalStep(), before.epoch(), false, before.tokensSeen(), before.totalFlos(),
        state.plan(), best, stopping, before.logHistory());
    listener
        .notice("going on from %s, step %d of %d".formatted(saved.folder(), state.globalStep(), prepared.totalSteps()));
  }

  private void restore(PlateauState plateau) {
    if (learningRate.plateau() == null) {
      listener.notice("lr_scheduler_type was reduce_lr_on_plateau; what it did to the learning rate is left behind");
    } else {
      learningRate = learningRate.withPlateau(plateau);
    }
  }

  private TrainingListener.Plan plan() {
    long trainable = model.trainables().stream().mapToLong(value -> value.type().elements()).sum();
    return new TrainingListener.Plan(prepared.datasets().train().size(), trainer.epochs(), prepared.totalSteps(),
        state.globalStep(),
        trainer.trainBatchSize() * trainer.gradientAccumulationSteps(), trainable, model.config().parameters(),
        model.session().usedBytes());
  }

  private double meanLoss() {
    return state.globalStep() == 0 ? 0 : losses.total() / state.globalStep();
  }

  private double seconds() {
    return earlierSeconds + (System.nanoTime() - begin) / 1e9;
  }

  /** Returns whether the run was stopped before its end. */
  private boolean train() {
    log.begin(state.globalStep());
    if (trainer.evaluateOnStart() && state.globalStep() == 0) {
      evaluate();
    }
    boolean goOn = !isExhausted();
    while (goOn && state.globalStep() < prepared.totalSteps()) {
      update();
      int step = state.globalStep();
      boolean epochEnds = step % prepared.batches().updatesPerEpoch() == 0;
      boolean last = step == prepared.totalSteps();
      if (due(trainer.logging(), epochEnds) || step == 1 && trainer.logFirstStep()) {
        logStep();
      }
      if (due(trainer.evaluation(), epochEnds)) {
        goOn = evaluateAndRemember();
      }
      boolean asked = listener.stopRequested() && !last && goOn;
      boolean saves = trainer.saving().interval().strategy() != IntervalStrategy.NO;
      if (asked || due(trainer.saving().interval(), epochEnds) || saves && (last || !goOn)) {
        save(last || !goOn, trainer.saving().onlyModel() && !asked);
      }
      if (asked) {
        return true;
      }
    }
    finish();
    return false;
  }

  private boolean due(Interval interval, boolean epochEnds) {
    return interval.isDueAfter(state.globalStep(), prepared.totalSteps())
        || interval.strategy() == IntervalStrategy.EPOCH && epochEnds;
  }

  /** One optimizer step: the gradients of all its micro-batches, their norm, the update. */
  private void update() {
    long updateBegin = System.nanoTime();
    List<MicroBatch> microBatches = new ArrayList<>();
    for (int[] indices : prepared.batches().update(state.globalStep())) {
      microBatches.add(MicroBatch.of(Arrays.stream(indices).mapToObj(prepared.datasets().train()::get).toList()));
    }
    long targets = microBatches.stream().mapToLong(MicroBatch::targets).sum();
    long tokens = microBatches.stream().mapToLong(MicroBatch::length).sum();
    TrainingEngine.Gradients gradients = engine.gradients(microBatches, targets,
        microBatch -> dropoutSeed(trainer.seed(), state.globalStep(), trainer.gradientAccumulationSteps(), microBatch));
    double loss = gradients.nll() / Math.max(1, targets);
    double norm = gradients.norm();
    int step = state.globalStep() + 1;
    if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
      throw new JqloraException(Kind.NUMERICS,
          ("step %d: the loss is %s and the gradient norm %s, so the run ends before the parameters change; lower "
              + "learning_rate or look at this step's data, then run again to go on from the newest checkpoint")
              .formatted(step, loss, norm));
    }
    lastRate = learningRate.at(state.globalStep());
    lastNorm = norm;
    double limit = trainer.optimizer().maxGradNorm();
    engine.update(lastRate, step, limit > 0 ? Math.min(1, limit / (norm + 1e-6)) : 1);
    losses = losses.plus(loss);
    state = state.stepped(prepared.batches().epochsAfter(step), tokens, 6.0 * tokens * layerParameters());
    double updateSeconds = (System.nanoTime() - updateBegin) / 1e9;
    listener.stepped(
        new TrainingListener.Step(step, prepared.totalSteps(), state.epoch(), loss, norm, lastRate,
            tokens / updateSeconds));
  }

  /** Parameters that multiply activations: all but the embedding table. */
  private long layerParameters() {
    return model.config().parameters() - (long) model.config().vocabSize() * model.config().hiddenSize();
  }

  /** Another for each micro-batch of a run: they are counted from its start. */
  static int dropoutSeed(long seed, int step, int accumulation, int microBatch) {
    return Dropout.mix(Dropout.mix(Long.hashCode(seed)) + step * accumulation + microBatch);
  }

  private void logStep() {
    LogEntry.Step entry = new LogEntry.Step(state.epoch(), state.globalStep(),
        losses.meanSinceLog(state.globalStep()), lastNorm, lastRate);
    state = state.logged(entry);
    losses = losses.loggedAt(state.globalStep());
    PagingCounts paging = model.session().paging();
    PagingCounts moved = paging.since(loggedPaging);
    loggedPaging = paging;
    log.append(entry, state.tokensSeen(), seconds(), moved);
    if (!moved.isNone()) {
      listener.paged(state.globalStep(), moved);
    }
  }

  /** Evaluates, and remembers the best; returns whether the run may go on. */
  private boolean evaluateAndRemember() {
    Map<String, Double> metrics = evaluate();
    double metric = metric(metrics);
    boolean better = Best.isImprovedBy(state.best(), metric, trainer.saving().greaterIsBetter());
    Optional<Best> best = better
        ? Optional.of(Best.after(state.best(), metric, state.globalStep()))
        : state.best();
    Optional<EarlyStopping> stopping = state.earlyStopping().map(rule -> rule.after(better));
    state = state.evaluated(best, stopping);
    learningRate = learningRate.afterEvaluation(metric);
    return !isExhausted();
  }

  /** Whether evaluations have not got better for so long that the run ends. */
  private boolean isExhausted() {
    Optional<EarlyStopping> exhausted = state.earlyStopping().filter(EarlyStopping::isExhausted);
    exhausted.ifPresent(rule -> listener.notice("no better evaluation %d times in a row: the run ends after step %d"
        .formatted(rule.counter(), state.globalStep())));
    return exhausted.isPresent();
  }

  /** The figure that decides which model is the best; with several evaluation sets, that of the first. */
  private double metric(Map<String, Double> metrics) {
    String first = prepared.datasets().evaluation().keySet().iterator().next();
    return Optional.ofNullable(metrics.get(EvaluationPass.prefix(first) + "_" + trainer.saving().metric()))
        .orElseThrow(() -> new JqloraException(Kind.CONFIG,
            "metric_for_best_model %s is not among the evaluation's %s".formatted(trainer.saving().metric(),
                metrics.keySet())));
  }

  private SortedMap<String, Double> evaluate() {
    SortedMap<String, Double> all = new TreeMap<>();
    prepared.datasets().evaluation().forEach((name, examples) -> {
      SortedMap<String, Double> metrics = evaluation.metrics(name, examples, state.globalStep());
      LogEntry.Evaluation entry = new LogEntry.Evaluation(state.epoch(), state.globalStep(), metrics);
      state = state.logged(entry);
      log.append(entry, state.tokensSeen(), seconds(), PagingCounts.NONE);
      listener.evaluated(state.globalStep(), name, evaluation.loss(name, metrics));
      all.putAll(metrics);
    });
    return all;
  }

  private void save(boolean finished, boolean modelOnly) {
    int step = state.globalStep();
    Optional<Best> best = state.best()
        .map(known -> known.step() == step ? known.savedAs(checkpoints.folder(step).toString()) : known);
    state = state.saved(best, finished);
    Optional<ResumeState> resumable = modelOnly
        ? Optional.empty()
        : Optional.of(new ResumeState(step, losses, Optional.ofNullable(learningRate.plateau()), seconds(),
            fixed));
    Path folder = checkpoints.save(state, resumable, target -> {
      model.save(target);
      if (!modelOnly) {
        SessionStates.save(target.resolve(SessionStates.FILE), model.session(), engine.optimizerStates());
      }
    });
    Integer limit = trainer.saving().totalLimit();
    if (limit != null) {
      checkpoints.rotate(limit, folder, best.flatMap(Best::checkpoint).map(Path::of));
    }
    listener.saved(folder);
  }

  private void finish() {
    if (trainer.saving().loadBestModelAtEnd()) {
      state.best().ifPresent(this::restore);
    }
    model.save(trainer.outputDir());
    double runtime = seconds();
    long samples = Math.round(state.epoch() * prepared.datasets().train().size());
    LogEntry.Summary summary = new LogEntry.Summary(state.epoch(), state.globalStep(), state.totalFlos(), meanLoss(),
        Speed.of(runtime, samples, state.globalStep()));
    state = state.logged(summary).saved(state.best(), true);
    state.write(trainer.outputDir());
    PagingCounts paging = model.session().paging();
    log.append(summary, state.tokensSeen(), runtime, paging);
    if (!paging.isNone()) {
      listener.notice("the optimizer's states did not fit on the device: " + paging);
    }
    log.finish(state, summary).ifPresent(listener::notice);
    listener.saved(trainer.outputDir());
  }

  /** Makes the best model the run's result, as far as it was saved. */
  private void restore(Best best) {
    Optional<Path> folder = best.checkpoint().map(Path::of).filter(Files::isDirectory);
    if (folder.isEmpty()) {
      listener
          .notice("the best evaluation is that of step %d, of which no checkpoint is left; the last weights are saved"
              .formatted(best.step()));
      return;
    }
    model.restore(folder.get());
    String name = folder.get().getFileName().toString();
    listener.notice(name.equals(checkpoints.folder(best.step()).getFileName().toString())
        ? "the best model is that of step %d; it is what is saved".formatted(best.step())
        : "the best evaluation is that of step %d, of which no checkpoint was saved; that of %s is what is saved"
            .formatted(best.step(), name));
  }
}
