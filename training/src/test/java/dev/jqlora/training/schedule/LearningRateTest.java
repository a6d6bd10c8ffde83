package dev.jqlora.training.schedule;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.training.config.ScheduleArguments;
import dev.jqlora.training.config.SchedulerType;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Expected values are worked out by hand from the formulas; warm-up is 2 and all steps are 10 unless said otherwise. */
class LearningRateTest {
  private static final double TOLERANCE = 1e-12;

  private static LearningRate rate(SchedulerType type, Map<String, String> options) {
    return LearningRate.of(new ScheduleArguments(type, options, 2, 0), 1.0, 10);
  }

  private static void assertFactors(SchedulerType type, Map<String, String> options, double... expected) {
    LearningRate rate = rate(type, options);
    assertArrayEquals(expected, IntStream.range(0, expected.length).mapToDouble(rate::at).toArray(), TOLERANCE);
  }

  @Test
  void linear() {
    assertFactors(SchedulerType.LINEAR, Map.of(), 0, 0.5, 1, 7 / 8., 6 / 8., 5 / 8., 4 / 8., 3 / 8., 2 / 8., 1 / 8., 0,
        0);
  }

  @Test
  void cosine() {
    double eighth = Math.cos(Math.PI / 8);
    assertFactors(SchedulerType.COSINE, Map.of(), 0, 0.5, 1, (1 + eighth) / 2, (1 + Math.sqrt(0.5)) / 2,
        (1 + Math.cos(3 * Math.PI / 8)) / 2, 0.5, (1 - Math.cos(3 * Math.PI / 8)) / 2, (1 - Math.sqrt(0.5)) / 2,
        (1 - eighth) / 2, 0);
    assertEquals(1, rate(SchedulerType.COSINE, Map.of("num_cycles", "1")).at(10), TOLERANCE);
  }

  @Test
  void cosineMatchesTheRatesOfARealRun() {
    var rate = LearningRate.of(new ScheduleArguments(SchedulerType.COSINE, Map.of(), 2, 0), 0.002, 12);
    assertEquals(0, rate.at(0));
    assertEquals(0.001, rate.at(1), TOLERANCE);
    assertEquals(0.002, rate.at(2), TOLERANCE);
    assertEquals(0.002 * 0.5 * (1 + Math.cos(Math.PI * 0.5)), rate.at(7), TOLERANCE);
  }

  @Test
  void cosineWithRestarts() {
    assertFactors(SchedulerType.COSINE_WITH_RESTARTS, Map.of("num_cycles", "2"), 0, 0.5, 1, (1 + Math.sqrt(0.5)) / 2,
        0.5, (1 - Math.sqrt(0.5)) / 2, 1, (1 + Math.sqrt(0.5)) / 2, 0.5, (1 - Math.sqrt(0.5)) / 2, 0);
    assertEquals(0.5, rate(SchedulerType.COSINE_WITH_RESTARTS, Map.of()).at(6), TOLERANCE);
  }

  @Test
  void polynomial() {
    assertFactors(SchedulerType.POLYNOMIAL, Map.of("lr_end", "0.2", "power", "2"), 0, 0.5, 1,
        0.8 * 49 / 64 + 0.2, 0.8 * 36 / 64 + 0.2, 0.8 * 25 / 64 + 0.2, 0.4, 0.8 * 9 / 64 + 0.2, 0.25,
        0.8 / 64 + 0.2, 0.2, 0.2);
    assertEquals(1e-7, rate(SchedulerType.POLYNOMIAL, Map.of()).at(10), TOLERANCE);
  }

  @Test
  void constant() {
    assertFactors(SchedulerType.CONSTANT, Map.of(), 1, 1, 1, 1);
    assertFactors(SchedulerType.CONSTANT_WITH_WARMUP, Map.of(), 0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1);
  }

  @Test
  void inverseSqrt() {
    assertFactors(SchedulerType.INVERSE_SQRT, Map.of(), 0, 0.5, 1, Math.sqrt(2 / 3.), Math.sqrt(0.5));
    var cold = LearningRate.of(new ScheduleArguments(SchedulerType.INVERSE_SQRT, Map.of(), 0, 0), 1.0, 10);
    assertEquals(0.5, cold.at(30_000), TOLERANCE);
  }

  @Test
  void cosineWithFloor() {
    assertFactors(SchedulerType.COSINE_WITH_MIN_LR, Map.of("min_lr_rate", "0.2"), 0, 0.5, 1,
        0.8 * (1 + Math.cos(Math.PI / 8)) / 2 + 0.2, 0.8 * (1 + Math.sqrt(0.5)) / 2 + 0.2,
        0.8 * (1 + Math.cos(3 * Math.PI / 8)) / 2 + 0.2, 0.6);
    var byRate = LearningRate.of(
        new ScheduleArguments(SchedulerType.COSINE_WITH_MIN_LR, Map.of("min_lr", "0.001"), 2, 0), 0.01, 10);
    assertEquals(0.001, byRate.at(10), TOLERANCE);
  }

  @Test
  void cosineWarmupWithFloor() {
    assertFactors(SchedulerType.COSINE_WARMUP_WITH_MIN_LR, Map.of("min_lr_rate", "0.2"), 0.5, 1,
        0.8 * (1 + Math.cos(Math.PI / 8)) / 2 + 0.2, 0.8 * (1 + Math.sqrt(0.5)) / 2 + 0.2);
    assertEquals(0.2, rate(SchedulerType.COSINE_WARMUP_WITH_MIN_LR, Map.of("min_lr_rate", "0.2")).at(9), TOLERANCE);
    var started = LearningRate.of(new ScheduleArguments(SchedulerType.COSINE_WARMUP_WITH_MIN_LR,
        Map.of("min_lr_rate", "0", "warmup_lr_rate", "0.1"), 4, 0), 1.0, 10);
    assertEquals(0.1, started.at(0), TOLERANCE);
    assertEquals(0.4, started.at(1), TOLERANCE);
    assertEquals(1, started.at(3), TOLERANCE);
  }

  @Test
  void warmupStableDecay() {
    // 8 steps follow the warm-up: 2 level, 6 down.
    assertFactors(SchedulerType.WARMUP_STABLE_DECAY, Map.of("decay_type", "linear"), 0, 0.5, 1, 1, 1, 5 / 6., 4 / 6.,
        3 / 6., 2 / 6., 1 / 6., 0);
    assertFactors(SchedulerType.WARMUP_STABLE_DECAY,
        Map.of("num_stable_steps", "1", "num_decay_steps", "4", "min_lr_ratio", "0.2"), 0.2, 0.6, 1, 1,
        0.8 * (1 + Math.sqrt(0.5)) / 2 + 0.2, 0.6, 0.8 * (1 - Math.sqrt(0.5)) / 2 + 0.2, 0.2, 0.2);
    assertFactors(SchedulerType.WARMUP_STABLE_DECAY,
        Map.of("num_stable_steps", "0", "num_decay_steps", "4", "decay_type", "1-sqrt", "warmup_type", "1-sqrt"), 0,
        1 - Math.sqrt(0.5), 1, 0.5, 1 - Math.sqrt(0.5), 1 - Math.sqrt(0.75), 0);
    assertEquals(0.5, rate(SchedulerType.WARMUP_STABLE_DECAY, Map.of("warmup_type", "cosine")).at(1), TOLERANCE);
  }

  @Test
  void plateauLowersTheRateWhenPatienceIsOut() {
    var start = rate(SchedulerType.REDUCE_LR_ON_PLATEAU, Map.of("factor", "0.5", "patience", "1", "cooldown", "1"));
    assertEquals(1, start.at(0));
    var better = start.afterEvaluation(2.0).afterEvaluation(1.5);
    var oneBad = better.afterEvaluation(1.49999); // within the threshold of 1e-4 relative
    assertEquals(1, oneBad.at(5));
    var lowered = oneBad.afterEvaluation(1.6);
    assertEquals(0.5, lowered.at(5));
    var cooling = lowered.afterEvaluation(1.6);
    assertEquals(new PlateauState(0.5, 1.5, 0, 0), cooling.plateau());
    assertEquals(0.25, cooling.afterEvaluation(1.6).afterEvaluation(1.6).at(9));
    var state = oneBad.plateau();
    assertNotNull(state);
    assertEquals(0.5, start.withPlateau(state).afterEvaluation(1.6).at(5), "restored from a checkpoint");
  }

  @Test
  void plateauMayMaximise() {
    var options = Map.of("mode", "max", "patience", "0", "threshold_mode", "abs", "threshold", "0.1", "min_lr", "0.3");
    var start = rate(SchedulerType.REDUCE_LR_ON_PLATEAU, options).afterEvaluation(0.5);
    assertEquals(1, start.afterEvaluation(0.7).at(0));
    assertEquals(0.3, start.afterEvaluation(0.55).at(0));
  }

  @ParameterizedTest
  @EnumSource(value = SchedulerType.class, mode = EnumSource.Mode.EXCLUDE, names = "REDUCE_LR_ON_PLATEAU")
  void theOthersHaveNoState(SchedulerType type) {
    Map<String, String> options = type.name().contains("MIN_LR") ? Map.of("min_lr_rate", "0.1") : Map.of();
    var rate = rate(type, options);
    assertNull(rate.plateau());
    assertSame(rate, rate.afterEvaluation(1));
    for (int k = 0; k < 20; k++) {
      double factor = rate.at(k);
      assertEquals(true, factor >= 0 && factor <= 1, type + " at " + k + ": " + factor);
    }
  }

  @Test
  void degenerateRunsStayFinite() {
    for (SchedulerType type : SchedulerType.values()) {
      Map<String, String> options = type.name().contains("MIN_LR") ? Map.of("min_lr_rate", "0.1") : Map.of();
      for (int total : new int[]{1, 2}) {
        for (int warmup : new int[]{0, 1, 2, 5}) {
          var rate = LearningRate.of(new ScheduleArguments(type, options, warmup, 0), 1.0, total);
          for (int k = 0; k < 8; k++) {
            assertEquals(true, Double.isFinite(rate.at(k)), type + " " + warmup + "/" + total + " at " + k);
          }
        }
      }
    }
  }

  @Test
  void wrongOptionsAreNamed() {
    assertComplaint("lr_scheduler_kwargs of cosine: unknown option \"num_cycle\"; expected num_cycles",
        SchedulerType.COSINE, Map.of("num_cycle", "1"));
    assertComplaint("lr_scheduler_kwargs of linear: unknown option \"power\"; it has none", SchedulerType.LINEAR,
        Map.of("power", "1"));
    assertComplaint("lr_scheduler_kwargs of cosine: num_cycles: expected a number, got \"many\"", SchedulerType.COSINE,
        Map.of("num_cycles", "many"));
    assertComplaint("lr_scheduler_kwargs of cosine_with_min_lr: expected exactly one of min_lr and min_lr_rate",
        SchedulerType.COSINE_WITH_MIN_LR, Map.of());
    assertComplaint("lr_scheduler_kwargs of polynomial: lr_end: expected less than learning_rate 1.0, got 2.0",
        SchedulerType.POLYNOMIAL, Map.of("lr_end", "2"));
    assertComplaint(
        "lr_scheduler_kwargs of warmup_stable_decay: decay_type: expected one of linear, cosine, 1-sqrt, got \"sqrt\"",
        SchedulerType.WARMUP_STABLE_DECAY, Map.of("decay_type", "sqrt"));
  }

  private static void assertComplaint(String expected, SchedulerType type, Map<String, String> options) {
    var thrown = assertThrows(JqloraException.class, () -> rate(type, options));
    assertEquals(JqloraException.Kind.CONFIG, thrown.kind());
    assertEquals(expected, thrown.getMessage());
  }
}
