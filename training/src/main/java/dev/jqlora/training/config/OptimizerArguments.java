package dev.jqlora.training.config;

/**
 * The optimizer.
 *
 * @param learningRate the rate that the schedule's factor multiplies
 * @param maxGradNorm the global L2 norm to clip to; 0 for no clipping
 */
public record OptimizerArguments(OptimizerType type, double learningRate, double weightDecay, double beta1,
    double beta2, double epsilon, double maxGradNorm) {
  /** The same with states of another kind. */
  public OptimizerArguments withType(OptimizerType other) {
    return new OptimizerArguments(other, learningRate, weightDecay, beta1, beta2, epsilon, maxGradNorm);
  }

  static OptimizerArguments of(Values values) {
    return new OptimizerArguments(values.get(Keys.OPTIM), values.get(Keys.LEARNING_RATE),
        values.get(Keys.WEIGHT_DECAY), values.get(Keys.ADAM_BETA1), values.get(Keys.ADAM_BETA2),
        values.get(Keys.ADAM_EPSILON), values.get(Keys.MAX_GRAD_NORM));
  }
}
