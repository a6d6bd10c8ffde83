package dev.jqlora.training.run;

import java.util.List;
import java.util.Optional;

/**
 * Where a run begins.
 *
 * @param resume the checkpoint to go on from; absent for step 0
 * @param notices what was passed over, one line each; the caller prints them
 */
public record RunStart(Optional<SavedRun> resume, List<String> notices) {
  public RunStart {
    notices = List.copyOf(notices);
  }
}
