package dev.jqlora.training.evaluate;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Embedding;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.training.data.Example;
import dev.jqlora.training.data.MicroBatch;
import dev.jqlora.training.train.Bucket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Log-likelihoods of options. The sequences of several questions go through the model in one run, one behind another;
 * of the last hidden states only the rows that predict an option's token meet the output head.
 */
final class OptionScorer {
  /** Rows that are read are filled up to a multiple of this; against a prompt's tokens they cost next to nothing. */
  private static final int ROW_STEP = 64;
  private static final String ROWS = "rows";
  private static final String LABELS = "labels";
  private static final String NLL = "nll";

  private final LoadedModel model;
  private final Map<Size, Executable> programs = new HashMap<>();

  /** What a program is compiled for. */
  private record Size(int tokens, int rows) {}

  OptionScorer(LoadedModel model) {
    this.model = model;
  }

  /** Cuts questions, in their order, into batches of at most so many tokens; a longer question is alone. */
  static List<List<Reading>> batches(List<Reading> readings, int tokens) {
    var batches = new ArrayList<List<Reading>>();
    var batch = new ArrayList<Reading>();
    int filled = 0;
    for (Reading reading : readings) {
      if (!batch.isEmpty() && filled + reading.tokens() > tokens) {
        batches.add(List.copyOf(batch));
        batch.clear();
        filled = 0;
      }
      batch.add(reading);
      filled += reading.tokens();
    }
    if (!batch.isEmpty()) {
      batches.add(List.copyOf(batch));
    }
    return batches;
  }

  /**
   * The log-likelihood of each option of each question, natural logarithm: the sum over its tokens.
   *
   * @throws JqloraException {@code MODEL} where a token is not in the model's vocabulary, {@code NUMERICS} where a
   *   likelihood is not finite
   */
  List<double[]> score(List<Reading> batch) {
    var sequences = new ArrayList<Example>();
    int[] rows = new int[batch.stream().mapToInt(Reading::rows).sum()];
    int[] labels = new int[rows.length];
    int row = 0;
    int token = 0;
    for (Reading reading : batch) {
      int[] begins = new int[reading.sequences().size()];
      for (int i = 0; i < begins.length; i++) {
        int[] ids = reading.sequences().get(i);
        model.check(ids);
        int[] none = new int[ids.length];
        Arrays.fill(none, Example.IGNORED);
        sequences.add(new Example(ids, none));
        begins[i] = token;
        token += ids.length;
      }
      for (Reading.Option option : reading.options()) {
        model.check(option.labels());
        for (int i = 0; i < option.labels().length; i++) {
          rows[row] = begins[option.sequence()] + option.firstRow() + i;
          labels[row++] = option.labels()[i];
        }
      }
    }
    return split(batch, run(MicroBatch.of(sequences), rows, labels));
  }

  private Tensor run(MicroBatch batch, int[] rows, int[] labels) {
    var size = new Size(Bucket.of(batch.length()), Math.ceilDiv(rows.length, ROW_STEP) * ROW_STEP);
    int[] filledLabels = Arrays.copyOf(labels, size.rows());
    Arrays.fill(filledLabels, labels.length, size.rows(), LinearCrossEntropy.IGNORED);
    Map<String, Tensor> feeds = model.embeddings().feeds(batch.tokens(), batch.positions(), batch.start(),
        size.tokens());
    feeds.put(ROWS, Tensor.of(TensorType.i32(size.rows()), Arrays.copyOf(rows, size.rows())));
    feeds.put(LABELS, Tensor.of(TensorType.i32(size.rows()), filledLabels));
    return Objects.requireNonNull(programs.computeIfAbsent(size, this::compile).run(feeds).get(NLL));
  }

  private static List<double[]> split(List<Reading> batch, Tensor nll) {
    var scores = new ArrayList<double[]>();
    int row = 0;
    for (Reading reading : batch) {
      double[] sums = new double[reading.options().size()];
      for (int option = 0; option < sums.length; option++) {
        for (int i = 0; i < reading.options().get(option).labels().length; i++) {
          sums[option] -= nll.get(row++);
        }
        if (!Double.isFinite(sums[option])) {
          throw new JqloraException(Kind.NUMERICS, "an option's log-likelihood is " + sums[option]
              + "; the model's weights or its adapter's are damaged, or the training diverged");
        }
      }
      scores.add(sums);
    }
    return scores;
  }

  private Executable compile(Size size) {
    Program.Builder program = new Program.Builder("option_scores");
    LlamaGraph llama = new LlamaGraph(model.layout(), program);
    Value hidden = llama.hidden(size.tokens(), false, SavePolicy.NOTHING, DType.F32);
    TensorType type = TensorType.i32(size.rows());
    Value read = program.graph().apply(new Embedding(), hidden, program.feed(ROWS, type));
    Value nll = llama.crossEntropy(read, program.feed(LABELS, type), false, false).get(1);
    return model.session().compile(program.fetch(NLL, nll).build());
  }
}
