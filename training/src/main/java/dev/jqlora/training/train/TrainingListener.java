package dev.jqlora.training.train;

import dev.jqlora.engine.backend.PagingCounts;
import java.nio.file.Path;
import java.util.List;

/** What a run tells whoever watches it, who need not take note of all of it, and the one thing that it asks. */
public interface TrainingListener {
  /** What a run is about to do. */
  record Plan(int examples, double epochs, int totalSteps, int startStep, int sequencesPerStep,
      long trainableParameters,
      long allParameters, long deviceBytes) {}

  /** One optimizer step. */
  record Step(int step, int totalSteps, double epoch, double loss, double gradientNorm, double learningRate,
      double tokensPerSecond) {}

  /** A line that the user should read once. */
  default void notice(String line) {}

  /** Something that takes a while begins. */
  default void phase(String what) {}

  /**
   * The run does not fit on the device and is refused: what its memory is for, and what would make it fit. Or it should have
   * fitted, and yet the device had no room.
   */
  default void refused(MemoryPlan plan, List<MemoryAdvice.Option> advice) {}

  default void started(Plan plan) {}

  default void stepped(Step step) {}

  /**
   * Pages of the optimizer's states were moved.
   *
   * @param moved since the last such report
   */
  default void paged(int step, PagingCounts moved) {}

  default void evaluated(int step, String name, double loss) {}

  default void saved(Path folder) {}

  /** Whether the run should save after this step and end. */
  default boolean stopRequested() {
    return false;
  }
}
