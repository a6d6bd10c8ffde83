package dev.jqlora.training.run;

import java.util.List;
import java.util.Optional;

/**
 * Where a run begins.
 *
 * @param resume the checkpoint to go on from; absent for step 0
 * @param overwrites whether an earlier run is to be deleted, by {@link OutputDirectory#clear}
 * @param notices what was passed over, one line each; the caller prints them
 */
public record RunStart(Optional<SavedRun> resume, boolean overwrites, List<String> notices) {
  public RunStart {
    notices = List.copyOf(notices);
  }
}
