package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** A compiled program of a session. */
public interface Executable {
  Plan plan();

  /**
   * Runs the program once.
   *
   * @param feeds one tensor of the right type for each feed
   * @return the fetched tensors, in memory that is theirs until the session is next asked for anything
   */
  Map<String, Tensor> run(Map<String, Tensor> feeds);

  /** A run that was begun and may not have ended. */
  interface Begun {
    /** Waits for the end of the run. What it fetches has memory of its own. */
    Map<String, Tensor> fetches();
  }

  /**
   * Begins a run. A backend whose device works by itself returns when it has read the feeds, so that the host may make those
   * of the next run meanwhile; others return when the run has ended. Whatever else is asked of the session waits for the run,
   * and a failure of the run may show there.
   *
   * @param feeds as for {@link #run}; their memory may be used again at once
   */
  default Begun begin(Map<String, Tensor> feeds) {
    Map<String, Tensor> fetches = new LinkedHashMap<>();
    run(feeds).forEach((name, tensor) -> fetches.put(name, tensor.copy()));
    return () -> fetches;
  }
}
