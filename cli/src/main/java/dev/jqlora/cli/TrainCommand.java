package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.hub.HubModels;
import dev.jqlora.training.config.IntervalStrategy;
import dev.jqlora.training.config.ModelArguments;
import dev.jqlora.training.config.ResumeFrom;
import dev.jqlora.training.config.TrainerArguments;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.run.Checkpoints;
import dev.jqlora.training.train.Trainer;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Trains: one configuration, or the two stages of the recipe. */
@Command(name = "train", description = "Train by a LLaMA-Factory configuration, or both stages of the recipe.", footer = {
    "",
    "Without a file it runs configs/stage1_pretrain.yaml and then configs/stage2_sft.yaml; keys are a",
    "configuration themselves with model_name_or_path and one of stage, do_train, do_eval, dataset.",
    "A key of the configuration may follow as key=value or --key value and wins over the file.",
    "Ctrl-C ends a run after its step, saved. It goes on by itself when it is started again; with",
    "overwrite_output_dir, or started from a checkpoint by name, it says what goes on instead.",
    "", "Examples:",
    "  jqlora train",
    "  jqlora train model_name_or_path=models/Llama-3.2-1B",
    "  jqlora train configs/stage1_pretrain.yaml max_steps=100 quiet=true",
    "  jqlora train my.yaml --model_name_or_path models/Llama-3.2-1B --threads 4"})
final class TrainCommand implements Callable<Integer> {
  /** A run that was stopped by a signal and saved; as shells count, 128 + SIGINT. */
  static final int INTERRUPTED = 130;
  private static final List<String> STAGES = List.of("configs/stage1_pretrain.yaml", "configs/stage2_sft.yaml");
  /** With the model, one of these makes a configuration of words alone. */
  private static final Set<String> WORK = Set.of("stage", "do_train", "do_eval", "dataset");

  private CommandSpec spec = CommandSpec.create();
  /** Whether a signal came during the last run, perhaps too late to stop that one. */
  private boolean stopAsked;

  @Parameters(arity = "0..*", paramLabel = "[FILE.yaml] [key=value ...]", description = "A YAML or JSON configuration, and keys that win over it.")
  private List<String> words = new ArrayList<>();

  @Option(names = BackendOptions.PROFILE, description = BackendOptions.PROFILE_HELP)
  private boolean profile;

  /** A key may be written as an option, and options of such names are declared nowhere. */
  @Spec
  void spec(CommandSpec command) {
    spec = command;
    command.parser().unmatchedOptionsArePositionalParams(true);
  }

  @Override
  public Integer call() {
    boolean named = !words.isEmpty() && isFile(words.getFirst());
    List<String> overrides = named ? words.subList(1, words.size()) : words;
    if (named) {
      return train(Path.of(words.getFirst()), overrides, null, spec.commandLine().getErr());
    }
    if (isConfiguration(overrides)) {
      return train(null, overrides, null, spec.commandLine().getErr());
    }
    for (String stage : STAGES) {
      int code = train(standard(stage), overrides, stage, spec.commandLine().getErr());
      if (code != 0) {
        return code;
      }
      if (stopAsked && !stage.equals(STAGES.getLast())) {
        spec.commandLine().getErr().printf("stopped after %s; the same command goes on with the next%n", stage);
        return INTERRUPTED;
      }
    }
    return 0;
  }

  static boolean isFile(String word) {
    return !word.startsWith("-") && word.matches(".*\\.(ya?ml|json)") && !word.contains("=");
  }

  /** Whether words without a file say what to run; else they change the recipe's two stages. */
  static boolean isConfiguration(List<String> words) {
    Set<String> keys = TrainingArguments.keys(words);
    return keys.contains("model_name_or_path") && WORK.stream().anyMatch(keys::contains);
  }

  /**
   * What goes on from where a run was stopped.
   *
   * @param step after which it was saved
   * @param stage the recipe's file where both stages run: the other one may have no checkpoint to resume from
   */
  static String goesOn(TrainerArguments trainer, int step, @Nullable String stage) {
    boolean automatic = trainer.resumeFrom() instanceof ResumeFrom.Automatic && !trainer.overwriteOutputDir();
    boolean everyStageResumes = automatic && !trainer.saving().onlyModel()
        && trainer.saving().interval().strategy() != IntervalStrategy.NO;
    boolean byItself = automatic || trainer.resumeFrom() instanceof ResumeFrom.Newest;
    return "the same command%s%s goes on from there".formatted(
        stage == null || everyStageResumes ? "" : " for " + stage,
        byItself ? "" : " with resume_from_checkpoint=" + new Checkpoints(trainer.outputDir()).folder(step));
  }

  /** A configuration of the recipe: in the working folder, or where jqlora lies. */
  static Path standard(String name) {
    Path here = Path.of(name);
    if (Files.exists(here)) {
      return here;
    }
    Path home = Path.of(System.getProperty("jqlora.home", ".")).resolve(name);
    if (!Files.exists(home)) {
      throw new JqloraException(Kind.USAGE,
          "there is no %s here; name a configuration, or run in jqlora's folder".formatted(name));
    }
    return home;
  }

  private static String memory(Trainer.DeviceMemoryUse memory) {
    String resident = ResidentSet.peakBytes().isPresent()
        ? String.format(Locale.ROOT, "; resident set of the process at most %,d bytes", ResidentSet.peakBytes()
            .getAsLong())
        : "";
    return String.format(Locale.ROOT, "device memory: planned %,d bytes, counted peak %,d bytes%s",
        memory.plannedBytes(), memory.countedBytes(), resident);
  }

  private static Path model(ModelArguments model, PrintWriter err) {
    try (StatusLine status = new StatusLine(err)) {
      return HubModels.resolve(model.modelNameOrPath(), model.revision(), model.cacheDir(), model.hubToken(),
          status::download);
    }
  }

  /** Runs one configuration, which may be a stage of the recipe; returns the exit code. */
  private int train(@Nullable Path file, List<String> overrides, @Nullable String stage, PrintWriter err) {
    boolean allowUnknownKeys = "1".equals(System.getenv("ALLOW_EXTRA_ARGS"));
    TrainingArguments arguments = TrainingArguments.readRun(file, overrides, allowUnknownKeys);
    try (Backend backend = Backends.open(arguments.engine(), profile, err)) {
      return train(arguments, model(arguments.model(), err), backend, stage, err);
    }
  }

  private int train(TrainingArguments arguments, Path model, Backend backend, @Nullable String stage,
      PrintWriter err) {
    try (StopSignals stop = StopSignals.listen();
        TrainingDisplay display = new TrainingDisplay(err, arguments.engine().quiet(), stop)) {
      Trainer.Result result = Trainer.run(arguments, model, backend, display);
      stopAsked = stop.requested();
      display.close();
      if (result.interrupted()) {
        err.printf("stopped after step %d of %d and saved; %s%n", result.steps(), result.totalSteps(),
            goesOn(arguments.trainer(), result.steps(), stage));
        err.flush();
        return INTERRUPTED;
      }
      if (result.totalSteps() > 0) {
        err.printf("trained %d steps, mean loss %.4f, in %s%n", result.steps(), result.trainLoss(),
            result.outputDir());
      }
      err.println(memory(result.memory()));
      result.evaluation().forEach((name, value) -> {
        if (!name.endsWith("_second") && !name.endsWith("_runtime")) {
          err.printf("%s %.4f%n", name, value);
        }
      });
      err.flush();
      return 0;
    }
  }
}
