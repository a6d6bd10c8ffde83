package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.train.MemoryAdvice;
import dev.jqlora.training.train.MemoryPlan;
import dev.jqlora.training.train.Trainer;
import dev.jqlora.training.train.TrainingListener;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Training runs on the demo's model and text, of a few steps each. */
final class SmallRuns {
  private final DemoFiles files;
  private int runs;

  /** Losses and gradient norms, step by step. */
  record Curve(List<Double> losses, List<Double> norms) {
    /** The largest distance of a loss from another run's, as a share of that. */
    double lossDifference(Curve other) {
      return difference(losses, other.losses);
    }

    double normDifference(Curve other) {
      return difference(norms, other.norms);
    }

    private static double difference(List<Double> ours, List<Double> theirs) {
      double largest = ours.size() == theirs.size() ? 0 : Double.NaN;
      for (int i = 0; i < Math.min(ours.size(), theirs.size()); i++) {
        largest = Math.max(largest, Math.abs(ours.get(i) / theirs.get(i) - 1));
      }
      return largest;
    }

    boolean falls() {
      return losses.getLast() < losses.getFirst();
    }
  }

  /** How far a run goes. */
  record Length(int steps, int batch, int tokens) {}

  /** Makes datasets, tokenizer and the model of random weights. */
  SmallRuns(Path folder) {
    files = new DemoFiles(folder);
    run(files.preprocessing());
    files.writeModel();
    run(files.initialization());
    files.writeBase();
    files.writeStage1();
  }

  private static void run(String... command) {
    StringWriter said = new StringWriter();
    PrintWriter writer = new PrintWriter(said);
    if (Main.run(writer, writer, command) != 0) {
      throw new JqloraException(Kind.IO, "jqlora %s failed: %s".formatted(command[0], said.toString().strip()));
    }
  }

  /** All weights in float32, from random ones. */
  Curve weights(Backend backend, Length length) {
    return train(DemoFiles.BASE, files.random(), backend, length, List.of());
  }

  /** Adapters on an NF4 base, with paged 8-bit AdamW, at a rate that is not 0 in the first step. */
  Curve adapters(Backend backend, Length length) {
    return train(DemoFiles.STAGE1, files.random(), backend, length, List.of("warmup_ratio=0.0"));
  }

  private Curve train(String configuration, Path model, Backend backend, Length length, List<String> more) {
    List<String> words = new ArrayList<>(List.of("model_name_or_path=" + model, "output_dir=" + files.folder().resolve(
        "run-" + runs++), "max_steps=" + length.steps(), "per_device_train_batch_size=" + length.batch(), "cutoff_len="
            + length.tokens(),
        "eval_strategy=no", "load_best_model_at_end=false", "plot_loss=false"));
    words.addAll(more);
    Recorder recorder = new Recorder();
    Trainer.run(TrainingArguments.read(files.folder().resolve(configuration), words), model, backend, recorder);
    return new Curve(recorder.losses, recorder.norms);
  }

  private static final class Recorder implements TrainingListener {
    private final List<Double> losses = new ArrayList<>();
    private final List<Double> norms = new ArrayList<>();

    @Override
    public void stepped(Step step) {
      losses.add(step.loss());
      norms.add(step.gradientNorm());
    }

    @Override
    public void notice(String line) {}

    @Override
    public void phase(String what) {}

    @Override
    public void refused(MemoryPlan plan, List<MemoryAdvice.Option> advice) {}

    @Override
    public void started(Plan plan) {}

    @Override
    public void paged(int step, PagingCounts moved) {}

    @Override
    public void evaluated(int step, String name, double loss) {}

    @Override
    public void saved(Path folder) {}

    @Override
    public boolean stopRequested() {
      return false;
    }
  }
}
