package dev.jqlora.training.config;

import org.jspecify.annotations.Nullable;

/**
 * What computes, within which limits, and how much is said meanwhile.
 *
 * @param backend a backend's name, or null for the best one
 * @param threads threads of the CPU backend, or null for all processors
 * @param deviceMemoryBytes limit on the device's memory, or null for what it has
 * @param quiet whether plain log lines replace the progress bar
 */
public record EngineArguments(@Nullable String backend, @Nullable Integer threads, @Nullable Long deviceMemoryBytes,
    boolean quiet) {
  static EngineArguments of(Values values) {
    return new EngineArguments(values.orNull(Keys.BACKEND), values.orNull(Keys.THREADS),
        values.orNull(Keys.DEVICE_MEMORY), values.get(Keys.QUIET) || values.get(Keys.DISABLE_TQDM));
  }
}
