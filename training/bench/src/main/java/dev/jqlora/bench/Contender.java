package dev.jqlora.bench;

import dev.jqlora.engine.tensor.Tensor;
import java.util.Map;

/** Work that is timed: made ready once, then run again and again, each time in full. */
public interface Contender extends AutoCloseable {
  void run();

  /** What the last run computed, by the names that the {@link Task} gives; empty where nothing is compared. */
  default Map<String, Tensor> results() {
    return Map.of();
  }

  @Override
  void close();
}
