package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.training.config.TrainingArguments;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Training runs on the demo's model and text, of a few steps each. */
final class SmallRuns {
  private final DemoFiles files;
  private int runs;

  /** How far a run goes. */
  record Length(int steps, int batch, int tokens) {
    /** A batch of whole windows is a step. */
    int tokensOfStep() {
      return batch * tokens;
    }
  }

  /** Runs in a folder, once they are prepared. */
  SmallRuns(Path folder) {
    files = new DemoFiles(folder);
  }

  /** Makes datasets, tokenizer and the model of random weights. */
  void prepare() {
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

  /** The model that all runs train. */
  LlamaConfig model() {
    return LlamaConfig.read(files.random());
  }

  /** All weights in float32, from random ones. */
  TrainingCurve weights(Backend backend, Length length) {
    return train(DemoFiles.BASE, backend, length);
  }

  /**
   * Adapters on an NF4 base, with paged 8-bit AdamW and, where the backend multiplies so, activations in bfloat16. At the
   * demo's rate, ten times as high, a rounding becomes a gradient of another length within a few steps: docs/numerics.md.
   */
  TrainingCurve adapters(Backend backend, Length length) {
    return train(DemoFiles.STAGE1, backend, length, "bf16=true", "learning_rate=1e-3");
  }

  private TrainingCurve train(String configuration, Backend backend, Length length, String... more) {
    Path output = files.folder().resolve("run-" + runs++);
    // Without warmup the first step moves the parameters already.
    List<String> words = new ArrayList<>(List.of("model_name_or_path=" + files.random(), "output_dir=" + output,
        "warmup_ratio=0.0", "max_steps=" + length.steps(), "per_device_train_batch_size=" + length.batch(),
        "cutoff_len=" + length.tokens(), "eval_strategy=no", "load_best_model_at_end=false", "plot_loss=false"));
    words.addAll(List.of(more));
    return TrainingCurve.of(TrainingArguments.read(files.folder().resolve(configuration), words), files.random(),
        backend);
  }
}
