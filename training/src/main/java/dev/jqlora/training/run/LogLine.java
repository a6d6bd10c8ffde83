package dev.jqlora.training.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.PagingCounts;
import java.util.Optional;

/**
 * A line of {@code trainer_log.jsonl}. What does not apply is left out; no number is rounded but the percentage.
 *
 * @param entry what is logged
 * @param throughput where it is counted
 * @param paging what was moved of the optimizer's states
 */
public record LogLine(Progress progress, LogEntry entry, Optional<Throughput> throughput, PagingCounts paging) {
  static final String STEP = "current_steps";
  static final String LOSS = "loss";

  /**
   * Input tokens trained on.
   *
   * @param tokensPerSecond in this part of the run
   * @param totalTokens in the whole run
   */
  public record Throughput(double tokensPerSecond, long totalTokens) {}

  /** Whether a line that was read back is that of a {@link LogEntry.Summary}. */
  static boolean marksEnd(JsonNode line) {
    boolean evaluation = line.properties().stream().anyMatch(field -> field.getKey().startsWith(LogEntry.EVAL_PREFIX));
    return line.has(STEP) && !line.has(LOSS) && !evaluation;
  }

  ObjectNode toJson() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put(STEP, progress.step());
    json.put("total_steps", progress.totalSteps());
    switch (entry) {
      case LogEntry.Step step -> {
        json.set(LOSS, Numbers.json(step.loss()));
        json.set("lr", Numbers.json(step.learningRate()));
        json.set("grad_norm", Numbers.json(step.gradNorm()));
      }
      case LogEntry.Evaluation evaluation -> evaluation.values().forEach((name, value) -> {
        if (!name.endsWith("_runtime") && !name.endsWith("_per_second")) {
          json.set(name, Numbers.json(value));
        }
      });
      case LogEntry.Summary _ -> {
        // The run's mean loss stands in train_results.json; this line marks the end.
      }
    }
    json.set("epoch", Numbers.json(progress.epoch()));
    json.put("percentage", progress.percentage());
    json.put("elapsed_time", Progress.clock(progress.elapsed()));
    json.put("remaining_time", Progress.clock(progress.remaining()));
    throughput.ifPresent(counted -> {
      json.put("throughput", Math.rint(counted.tokensPerSecond() * 100) / 100);
      json.put("total_tokens", counted.totalTokens());
    });
    if (!paging.isNone()) {
      json.put("pages_in", paging.pagesIn());
      json.put("page_bytes_in", paging.bytesIn());
      json.put("pages_out", paging.pagesOut());
      json.put("page_bytes_out", paging.bytesOut());
      json.put("paging_seconds", paging.nanoseconds() / 1e9);
    }
    return json;
  }
}
