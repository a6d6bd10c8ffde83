package dev.jqlora.training.evaluate;

/** What an evaluation tells whoever watches it. */
public interface EvaluationListener {
  /** A line that the user should read once. */
  void notice(String line);

  /** How far a part of the work is: {@code done} of {@code total}, in the unit that {@code what} names. */
  void progress(String what, long done, long total);

  /** A variant's part is finished, with its result in words. */
  void finished(String result);
}
