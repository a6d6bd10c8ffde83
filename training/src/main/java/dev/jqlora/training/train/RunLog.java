package dev.jqlora.training.train;

import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.TrainerArguments;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.run.LogEntry;
import dev.jqlora.training.run.LogLine;
import dev.jqlora.training.run.LossPlot;
import dev.jqlora.training.run.ModelCard;
import dev.jqlora.training.run.Progress;
import dev.jqlora.training.run.RunResults;
import dev.jqlora.training.run.TrainerLog;
import dev.jqlora.training.run.TrainerState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What a run writes about itself into its output folder. */
final class RunLog implements AutoCloseable {
  private final TrainingArguments arguments;
  private final Path outputDir;
  private final int totalSteps;
  private @Nullable TrainerLog lines;

  RunLog(TrainingArguments arguments, int totalSteps) {
    this.arguments = arguments;
    this.outputDir = arguments.trainer().outputDir();
    this.totalSteps = totalSteps;
  }

  /** Opens the log, at step 0 anew, else without what lies beyond the step. */
  void begin(int step) {
    lines = step == 0 ? TrainerLog.start(outputDir) : TrainerLog.resume(outputDir, step);
  }

  /**
   * Adds a line.
   *
   * @param tokens read in the whole run
   * @param seconds spent in the whole run
   * @param paging what was moved since the last such line, at the end in this part of the run
   */
  void append(LogEntry entry, long tokens, double seconds, PagingCounts paging) {
    if (lines == null) {
      return;
    }
    Progress progress = new Progress(entry.step(), totalSteps, entry.epoch(),
        Duration.ofMillis((long) (seconds * 1000)));
    lines.append(new LogLine(progress, entry,
        Optional.of(new LogLine.Throughput(tokens / Math.max(seconds, 1e-9), tokens)), paging));
  }

  void evaluationResults(Map<String, Double> metrics, double epoch) {
    Map<String, Double> figures = new TreeMap<>(metrics);
    figures.put("epoch", epoch);
    RunResults.write(outputDir, "eval", figures);
  }

  /** Writes results, plots and the model card; returns what could not be done and need not end the run. */
  Optional<String> finish(TrainerState state, LogEntry.Summary summary) {
    Map<String, Double> figures = new TreeMap<>(summary.values());
    figures.put("epoch", state.epoch());
    if (arguments.finetuning().includeEffectiveTokensPerSecond()) {
      figures.put("effective_tokens_per_sec", state.tokensSeen() / Math.max(summary.speed().runtime(), 1e-9));
    }
    RunResults.write(outputDir, "train", figures);
    card(state).write(outputDir);
    return arguments.finetuning().plotLoss() ? LossPlot.write(outputDir, state.logHistory()) : Optional.empty();
  }

  private ModelCard card(TrainerState state) {
    TrainerArguments trainer = arguments.trainer();
    SequencedMap<String, String> settings = new LinkedHashMap<>();
    settings.put("learning_rate", String.valueOf(trainer.optimizer().learningRate()));
    settings.put("train_batch_size", String.valueOf(trainer.trainBatchSize()));
    settings.put("eval_batch_size", String.valueOf(trainer.evalBatchSize()));
    settings.put("seed", String.valueOf(trainer.seed()));
    settings.put("gradient_accumulation_steps", String.valueOf(trainer.gradientAccumulationSteps()));
    settings.put("total_train_batch_size",
        String.valueOf(trainer.trainBatchSize() * trainer.gradientAccumulationSteps()));
    settings.put("optimizer", "%s with betas=(%s, %s) and epsilon=%s".formatted(
        trainer.optimizer().type().name().toLowerCase(Locale.ROOT), trainer.optimizer().beta1(),
        trainer.optimizer().beta2(), trainer.optimizer().epsilon()));
    settings.put("lr_scheduler_type", trainer.schedule().type().name().toLowerCase(Locale.ROOT));
    settings.put("training_steps", String.valueOf(state.globalStep()));
    SequencedMap<String, String> versions = new LinkedHashMap<>();
    versions.put("jqlora",
        Optional.ofNullable(RunLog.class.getPackage().getImplementationVersion()).orElse("development"));
    versions.put("Java", System.getProperty("java.version"));
    Path name = outputDir.toAbsolutePath().normalize().getFileName();
    return new ModelCard(name == null ? outputDir.toString() : name.toString(), arguments.model().modelNameOrPath(),
        arguments.finetuning().type() == FinetuningType.LORA, List.copyOf(arguments.data().dataset()), settings,
        state.logHistory(), versions);
  }

  @Override
  public void close() {
    if (lines != null) {
      lines.close();
    }
  }
}
