package dev.jqlora.training.run;

/**
 * Sums from which losses are reported; a resumed run goes on with the very same bits.
 *
 * @param total sum of the losses of all steps
 * @param sinceLog sum of the losses of the steps after {@code lastLoggedStep}
 */
public record LossSums(double total, double sinceLog, int lastLoggedStep) {
  /** The sums before the first step. */
  public static final LossSums ZERO = new LossSums(0, 0, 0);

  /** The sums after another step. */
  public LossSums plus(double loss) {
    return new LossSums(total + loss, sinceLog + loss, lastLoggedStep);
  }

  /** The mean loss of the steps since the last report; {@code step} is above {@code lastLoggedStep}. */
  public double meanSinceLog(int step) {
    return sinceLog / (step - lastLoggedStep);
  }

  /** The sums after a report at a step. */
  public LossSums loggedAt(int step) {
    return new LossSums(total, 0, step);
  }
}
