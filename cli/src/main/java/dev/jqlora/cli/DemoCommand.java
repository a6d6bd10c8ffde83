package dev.jqlora.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.training.evaluate.Evaluation;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * The recipe in small. A Llama of 430,000 weights is pretrained on half of the sample text; from there on everything is
 * what the real recipe does, through the same commands and the same keys.
 */
@Command(name = "demo", description = "Run the whole recipe in small: a tiny Llama, both stages, the evaluation.", footer = {
    "", "Takes some minutes and fetches nothing: text and questions are the sample in data_clean.",
    "A key of the configurations may follow as key=value and holds for every training run.",
    "It fails where training did not help.", "", "Example:", "  jqlora demo quiet=true"})
final class DemoCommand implements Callable<Integer> {
  private static final double CHANCE = 0.25;

  @Spec
  private CommandSpec spec;

  @Option(names = "--out", paramLabel = "DIR", defaultValue = "demo", description = "Where everything goes (default: ${DEFAULT-VALUE}). What an earlier demo left there is made anew.")
  private Path folder;

  @Parameters(arity = "0..*", paramLabel = "[key=value ...]", description = "Keys that win over those of the demo's configurations.")
  private List<String> words = new ArrayList<>();

  /** A command of the demo failed; it has said why. */
  private static final class CommandFailed extends Exception {
    private static final long serialVersionUID = 1;

    private final int exitCode;

    CommandFailed(int exitCode) {
      super("exit code " + exitCode);
      this.exitCode = exitCode;
    }
  }

  @Override
  public Integer call() {
    long begin = System.nanoTime();
    DemoFiles files = new DemoFiles(folder);
    try {
      train(files);
      evaluate(files);
    } catch (CommandFailed failure) {
      return failure.exitCode;
    }
    say("%nConfigurations, models, logs and plots (training_loss.png) are in %s. The demo took %d s.", folder,
        (System.nanoTime() - begin) / 1_000_000_000);
    judge();
    return 0;
  }

  private void train(DemoFiles files) throws CommandFailed {
    title("Raw text and questions become datasets");
    run(files.preprocessing());

    title("A small Llama takes the place of Meta-Llama-3-8B: random weights, then half of the text");
    int tokens = files.writeModel().vocabSize();
    say("tokenizer.json: %,d tokens, learned from text and questions", tokens);
    run(files.initialization());
    files.writeBase();
    train(DemoFiles.BASE);

    title("Stage 1: QLoRA on all of the text");
    files.writeStage1();
    train(DemoFiles.STAGE1);

    title("Stage 2: the same adapter learns to answer the training questions");
    files.writeStage2();
    train(DemoFiles.STAGE2);
  }

  private void evaluate(DemoFiles files) throws CommandFailed {
    title("The training questions, and text that no stage saw");
    run("evaluate", file(DemoFiles.STAGE1), file(DemoFiles.STAGE2), "--questions", files.data().resolve(
        "medqa_sft.jsonl").toString(), "--forms", "template", "--window", String.valueOf(DemoFiles.WINDOW), "--output",
        file("evaluation"), "--overwrite");

    title("New questions on the same facts: so small a model has learned the others by heart, so expect chance");
    run("evaluate", "--model", files.base().toString(), "--stage1", files.stage1().toString(), "--stage2", files
        .stage2().toString(), "--quantization-bit", "4", "--questions",
        files.data().resolve("medqa_test.jsonl")
            .toString(),
        "--template", "alpaca", "--forms", "template", "--output", file("evaluation-new"), "--overwrite");
  }

  private String file(String name) {
    return folder.resolve(name).toString();
  }

  private void train(String configuration) throws CommandFailed {
    List<String> command = new ArrayList<>(List.of("train", file(configuration)));
    command.addAll(words);
    run(command.toArray(String[]::new));
  }

  /** Runs a command line as a user would type it. */
  private void run(String... command) throws CommandFailed {
    say("$ jqlora %s", String.join(" ", command));
    int exitCode = Main.run(out(), spec.commandLine().getErr(), command);
    if (exitCode != 0) {
      throw new CommandFailed(exitCode);
    }
  }

  /** Training must have helped, by the figures in the report. */
  private void judge() {
    JsonNode variants = JsonObject.read(folder.resolve("evaluation").resolve(Evaluation.FILE)).node().path("variants");
    double base = variants.at("/0/perplexity/perplexity").asDouble(Double.NaN);
    double stage1 = variants.at("/1/perplexity/perplexity").asDouble(Double.NaN);
    double accuracy = variants.at("/2/medqa/template/accuracy").asDouble(Double.NaN);
    double atLeast = variants.at("/2/medqa/template/interval_95/0").asDouble(Double.NaN);
    String figures = String.format(Locale.ROOT,
        "held-out perplexity went from %.1f to %.1f in stage 1; stage 2 answers %.0f %% of its questions, chance is %.0f %%",
        base, stage1, 100 * accuracy, 100 * CHANCE);
    if (!(stage1 < base && atLeast > CHANCE)) {
      throw new JqloraException(Kind.NUMERICS, "training did not help: " + figures);
    }
    say("%s", figures);
  }

  private PrintWriter out() {
    return spec.commandLine().getOut();
  }

  private void title(String text) {
    say("%n== %s", text);
  }

  private void say(String format, Object... values) {
    out().println(String.format(Locale.ROOT, format, values));
    out().flush();
  }
}
