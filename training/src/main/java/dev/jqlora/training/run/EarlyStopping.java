package dev.jqlora.training.run;

/**
 * The rule that ends a run whose evaluations do not get better.
 *
 * @param patience evaluations without improvement after which the run ends
 * @param counter evaluations without improvement up to now
 */
public record EarlyStopping(int patience, int counter) {
  /** The rule at a run's start. */
  public EarlyStopping(int patience) {
    this(patience, 0);
  }

  /** The rule after another evaluation. */
  public EarlyStopping after(boolean improved) {
    return new EarlyStopping(patience, improved ? 0 : counter + 1);
  }

  /** This rule, going on where a checkpoint's stood. */
  public EarlyStopping goingOnFrom(EarlyStopping saved) {
    return new EarlyStopping(patience, saved.counter);
  }

  /** Whether the run ends now. */
  public boolean isExhausted() {
    return counter >= patience;
  }
}
