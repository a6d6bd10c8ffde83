package dev.jqlora.bench;

/**
 * How long something is measured.
 *
 * @param runs at least
 * @param seconds for which runs go on, at least
 */
record Effort(int runs, double seconds) {
  static final Effort FULL = new Effort(7, 3);
  static final Effort QUICK = new Effort(3, 1);
  static final Effort ONCE = new Effort(1, 0);
}
