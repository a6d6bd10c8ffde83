package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.tensor.Tensor;
import java.util.Map;

/** A compiled program of a session. */
public interface Executable {
  Plan plan();

  /**
   * Runs the program once.
   *
   * @param feeds one tensor of the right type for each feed
   * @return the fetched tensors, in memory that the next run may overwrite
   */
  Map<String, Tensor> run(Map<String, Tensor> feeds);
}
