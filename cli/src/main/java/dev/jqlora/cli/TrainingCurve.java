package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.train.Trainer;
import dev.jqlora.training.train.TrainingListener;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A training run's losses and gradient norms, step by step. */
record TrainingCurve(List<Double> losses, List<Double> norms) {
  /** Trains by a configuration, in silence. */
  static TrainingCurve of(TrainingArguments arguments, Path model, Backend backend) {
    TrainingCurve curve = new TrainingCurve(new ArrayList<>(), new ArrayList<>());
    Trainer.run(arguments, model, backend, new Recorder(curve));
    return curve;
  }

  /** The largest distance of a loss from another run's, as a share of that; NaN where one run is longer. */
  double lossDifference(TrainingCurve other) {
    return difference(losses, other.losses);
  }

  /** The same of the gradient norms. */
  double normDifference(TrainingCurve other) {
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

  private record Recorder(TrainingCurve curve) implements TrainingListener {
    @Override
    public void stepped(Step step) {
      curve.losses.add(step.loss());
      curve.norms.add(step.gradientNorm());
    }
  }
}
