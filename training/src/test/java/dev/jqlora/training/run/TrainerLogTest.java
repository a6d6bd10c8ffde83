package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.backend.PagingCounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerLogTest {
  @TempDir
  Path folder;

  private static LogLine step(int step) {
    return new LogLine(progress(step), new LogEntry.Step(step / 8.0, step, 1.0 / step, 0.5, 1e-4), Optional.empty(),
        PagingCounts.NONE);
  }

  private static LogLine evaluation(int step, String name) {
    return new LogLine(progress(step), new LogEntry.Evaluation(step / 8.0, step, new TreeMap<>(Map.of(name, 2.5,
        "eval_runtime", 1.0, "eval_steps_per_second", 2.0))), Optional.empty(), PagingCounts.NONE);
  }

  private static LogLine end(int step) {
    return new LogLine(progress(step), new LogEntry.Summary(step / 8.0, step, 1, 2, Speed.of(1, 1, 1)), Optional
        .empty(), PagingCounts.NONE);
  }

  private static Progress progress(int step) {
    return new Progress(step, 12, step / 8.0, Duration.ofSeconds(100L * step));
  }

  private List<String> lines() throws IOException {
    return Files.readAllLines(folder.resolve(TrainerLog.FILE));
  }

  @Test
  void writesTheLinesOfLlamaFactory() throws IOException {
    try (TrainerLog log = TrainerLog.start(folder)) {
      log.append(step(3));
      log.append(evaluation(3, "eval_loss"));
      log.append(new LogLine(new Progress(12, 12, 1.5, Duration.ofSeconds(90_061)), end(12).entry(), Optional.of(
          new LogLine.Throughput(12.3456, 789)), new PagingCounts(3, 300, 2, 200, 1_500_000)));
    }
    assertEquals(List.of(
        "{\"current_steps\": 3, \"total_steps\": 12, \"loss\": 0.3333333333333333, \"lr\": 1.0E-4, \"grad_norm\": 0.5, "
            + "\"epoch\": 0.375, \"percentage\": 25.0, \"elapsed_time\": \"0:05:00\", \"remaining_time\": \"0:15:00\"}",
        "{\"current_steps\": 3, \"total_steps\": 12, \"eval_loss\": 2.5, \"epoch\": 0.375, \"percentage\": 25.0, "
            + "\"elapsed_time\": \"0:05:00\", \"remaining_time\": \"0:15:00\"}",
        "{\"current_steps\": 12, \"total_steps\": 12, \"epoch\": 1.5, \"percentage\": 100.0, "
            + "\"elapsed_time\": \"1 day, 1:01:01\", \"remaining_time\": \"0:00:00\", \"throughput\": 12.35, "
            + "\"total_tokens\": 789, \"pages_in\": 3, \"page_bytes_in\": 300, \"pages_out\": 2, "
            + "\"page_bytes_out\": 200, \"paging_seconds\": 0.0015}"),
        lines());
  }

  @Test
  void clocksReadAsPythonWritesThem() {
    assertEquals("0:00:00", Progress.clock(Duration.ZERO));
    assertEquals("23:59:59", Progress.clock(Duration.ofSeconds(86_399).plusMillis(999)));
    assertEquals("2 days, 0:00:05", Progress.clock(Duration.ofSeconds(2 * 86_400 + 5)));
    assertEquals(33.33, new Progress(1, 3, 0, Duration.ZERO).percentage());
    assertEquals(Duration.ZERO, new Progress(0, 3, 0, Duration.ofSeconds(9)).remaining());
  }

  @Test
  void aResumedRunHasNoStepTwice() throws IOException {
    try (TrainerLog log = TrainerLog.start(folder)) {
      for (int step = 1; step <= 6; step++) {
        log.append(step(step));
      }
      log.append(evaluation(6, "eval_loss"));
      log.append(evaluation(6, "eval_other_loss"));
      log.append(step(7));
    }
    List<String> whole = lines();
    Files.writeString(folder.resolve(TrainerLog.FILE), String.join("\n", whole) + "\n{\"current_steps\": 8, \"to");
    try (TrainerLog log = TrainerLog.resume(folder, 6)) {
      log.append(step(7));
    }
    assertEquals(whole, lines());
  }

  @Test
  void whatFollowedAnEndIsLoggedAgain() throws IOException {
    try (TrainerLog log = TrainerLog.start(folder)) {
      log.append(step(12));
      log.append(evaluation(12, "eval_loss"));
      log.append(end(12));
      log.append(evaluation(12, "eval_loss"));
    }
    List<String> whole = lines();
    TrainerLog.resume(folder, 12).close();
    assertEquals(whole.subList(0, 2), lines());
  }

  @Test
  void resumesWithoutALog() throws IOException {
    try (TrainerLog log = TrainerLog.resume(folder, 5)) {
      log.append(step(6));
    }
    assertEquals(1, lines().size());
    TrainerLog.start(folder).close();
    assertEquals(0, lines().size());
  }
}
