package dev.jqlora.training.train;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.config.FinetuningArguments;
import dev.jqlora.training.config.Stage;
import dev.jqlora.training.data.Datasets;
import dev.jqlora.training.data.Example;
import dev.jqlora.training.data.MicroBatch;
import dev.jqlora.training.run.Speed;
import java.util.List;
import java.util.SortedMap;

/** The figures of an evaluation during training, as Hugging Face's Trainer and LLaMA-Factory define them. */
final class EvaluationPass {
  private final TrainingEngine engine;
  private final int batchSize;
  private final boolean accuracy;
  private final boolean perplexity;

  EvaluationPass(TrainingEngine engine, int batchSize, FinetuningArguments finetuning) {
    this.engine = engine;
    this.batchSize = batchSize;
    this.accuracy = finetuning.computeAccuracy();
    this.perplexity = finetuning.stage() == Stage.PT;
  }

  /** Evaluates a dataset; the figures' names begin with {@code eval_}. */
  SortedMap<String, Double> metrics(String name, List<Example> examples, int step) {
    long begin = System.nanoTime();
    Sums sums = sums(examples);
    double seconds = (System.nanoTime() - begin) / 1e9;
    double loss = sums.loss() / examples.size();
    if (!Double.isFinite(loss)) {
      throw new JqloraException(Kind.NUMERICS, "evaluation after step %d: the loss is %s".formatted(step, loss));
    }
    String prefix = prefix(name);
    SortedMap<String, Double> metrics = Speed
        .of(seconds, examples.size(), Math.ceilDiv(examples.size(), batchSize)).values(prefix);
    metrics.put(prefix + "_loss", loss);
    if (accuracy) {
      metrics.put(prefix + "_accuracy", sums.accuracy() / examples.size());
    }
    if (perplexity) {
      metrics.put(prefix + "_perplexity", Math.exp(loss));
    }
    return metrics;
  }

  double loss(String name, SortedMap<String, Double> metrics) {
    return metrics.getOrDefault(prefix(name) + "_loss", Double.NaN);
  }

  /** What the names of an evaluation set's figures begin with. */
  static String prefix(String name) {
    return name.equals(Datasets.EVAL) ? "eval" : "eval_" + name;
  }

  /** Over the examples: each one's batch's mean token loss, and the share of its targets that were the likeliest id. */
  private record Sums(double loss, double accuracy) {}

  private Sums sums(List<Example> examples) {
    double loss = 0;
    double right = 0;
    for (int first = 0; first < examples.size(); first += batchSize) {
      List<Example> part = examples.subList(first, Math.min(examples.size(), first + batchSize));
      MicroBatch batch = MicroBatch.of(part);
      TrainingEngine.Scores scores = engine.evaluate(batch, accuracy);
      double batchSum = 0;
      for (float nll : scores.nll()) {
        batchSum += nll;
      }
      loss += batchSum / Math.max(1, batch.targets()) * part.size();
      int offset = 0;
      for (Example example : part) {
        right += accuracy ? accuracy(example, offset, batch, scores) : 0;
        offset += example.length();
      }
    }
    return new Sums(loss, right);
  }

  private static double accuracy(Example example, int offset, MicroBatch batch, TrainingEngine.Scores scores) {
    int right = 0;
    for (int i = offset; i < offset + example.length(); i++) {
      right += batch.labels()[i] != Example.IGNORED && batch.labels()[i] == scores.predictions()[i] ? 1 : 0;
    }
    return right / (double) Math.max(1, example.targets());
  }
}
