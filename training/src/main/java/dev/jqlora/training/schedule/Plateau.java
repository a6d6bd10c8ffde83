package dev.jqlora.training.schedule;

/**
 * Lowers the rate where a metric has stopped improving, as torch's {@code ReduceLROnPlateau}: a rule and its state.
 *
 * @param maximise whether a greater metric is better
 * @param factor what the rate is multiplied with
 * @param patience evaluations without improvement that are let pass
 * @param threshold the least improvement that counts, as a share of the best metric or, if not {@code relative}, as is
 * @param cooldown evaluations after a reduction in which none counts as bad
 */
record Plateau(boolean maximise, double factor, int patience, double threshold, boolean relative, int cooldown,
    double minRate, double minChange) {
  PlateauState start(double rate) {
    return new PlateauState(rate, maximise ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY, 0, 0);
  }

  PlateauState next(PlateauState state, double metric) {
    boolean better = isBetter(metric, state.best());
    double best = better ? metric : state.best();
    int bad = better ? 0 : state.badEvaluations() + 1;
    int cooling = state.cooldownLeft();
    if (cooling > 0) {
      cooling--;
      bad = 0;
    }
    if (bad <= patience) {
      return new PlateauState(state.rate(), best, bad, cooling);
    }
    double lower = Math.max(state.rate() * factor, minRate);
    return new PlateauState(state.rate() - lower > minChange ? lower : state.rate(), best, 0, cooldown);
  }

  private boolean isBetter(double metric, double best) {
    double margin = relative ? best * threshold : threshold;
    if (Double.isInfinite(best)) {
      return maximise ? metric > best : metric < best;
    }
    return maximise ? metric > best + margin : metric < best - margin;
  }
}
