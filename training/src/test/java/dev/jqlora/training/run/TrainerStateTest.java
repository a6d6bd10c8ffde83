package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerStateTest {
  private static final TrainerState STATE = new TrainerState(4, 1.5, true, 640, 2.5e9, new RunPlan(4, 2, 2, 1, 4, 8),
      Optional.of(new Best(0.1 + 0.2, 4, Optional.of("out/checkpoint-4"))), Optional.of(new EarlyStopping(3, 1)), List
          .of(new LogEntry.Step(1.5, 4, 1.0 / 3, Double.NaN, 0), new LogEntry.Evaluation(1.5, 4, new TreeMap<>(Map.of(
              "eval_loss", 0.3, "eval_runtime", 1.25))), new LogEntry.Summary(1.5, 4, 2.5e9, 0.75, Speed.of(8.00006, 32,
                  4))));

  @Test
  void writesThePageThatTransformersWrites(@TempDir Path folder) throws IOException {
    STATE.write(folder);
    assertEquals("""
        {
          "best_global_step": 4,
          "best_metric": 0.30000000000000004,
          "best_model_checkpoint": "out/checkpoint-4",
          "epoch": 1.5,
          "eval_steps": 2,
          "global_step": 4,
          "is_hyper_param_search": false,
          "is_local_process_zero": true,
          "is_world_process_zero": true,
          "log_history": [
            {
              "epoch": 1.5,
              "grad_norm": "NaN",
              "learning_rate": 0.0,
              "loss": 0.3333333333333333,
              "step": 4
            },
            {
              "epoch": 1.5,
              "eval_loss": 0.3,
              "eval_runtime": 1.25,
              "step": 4
            },
            {
              "epoch": 1.5,
              "step": 4,
              "total_flos": 2.5E9,
              "train_loss": 0.75,
              "train_runtime": 8.0001,
              "train_samples_per_second": 4.0,
              "train_steps_per_second": 0.5
            }
          ],
          "logging_steps": 1,
          "max_steps": 4,
          "num_input_tokens_seen": 640,
          "num_train_epochs": 2,
          "save_steps": 4,
          "stateful_callbacks": {
            "EarlyStoppingCallback": {
              "args": {
                "early_stopping_patience": 3,
                "early_stopping_threshold": 0.0
              },
              "attributes": {
                "early_stopping_patience_counter": 1
              }
            },
            "TrainerControl": {
              "args": {
                "should_epoch_stop": false,
                "should_evaluate": false,
                "should_log": false,
                "should_save": true,
                "should_training_stop": true
              },
              "attributes": {}
            }
          },
          "total_flos": 2.5E9,
          "train_batch_size": 8,
          "trial_name": null,
          "trial_params": null
        }
        """, Files.readString(folder.resolve(TrainerState.FILE)));
    assertEquals(STATE, TrainerState.read(folder));
  }

  @Test
  void aRunWithoutEvaluationsHasNoBest(@TempDir Path folder) throws IOException {
    TrainerState state = TinyRun.state(3);
    state.write(folder);
    assertTrue(Files.readString(folder.resolve(TrainerState.FILE)).contains("\"best_metric\": null"));
    assertEquals(state, TrainerState.read(folder));
  }

  @Test
  void readsWhatTransformersWrites(@TempDir Path folder) throws IOException {
    Files.writeString(folder.resolve(TrainerState.FILE), """
        {"best_global_step": null, "best_metric": null, "best_model_checkpoint": null, "epoch": 0.08, "eval_steps": 500,
         "global_step": 2, "is_hyper_param_search": false, "log_history": [{"epoch": 0.04, "grad_norm": 1.25,
         "learning_rate": 1e-05, "loss": 2.5, "step": 1}], "logging_steps": 1, "max_steps": 25,
         "num_input_tokens_seen": 0, "num_train_epochs": 1, "save_steps": 500, "stateful_callbacks": {},
         "total_flos": 12345678.0, "train_batch_size": 1, "trial_name": null, "trial_params": null}""");
    TrainerState state = TrainerState.read(folder);
    assertEquals(List.of(new LogEntry.Step(0.04, 1, 2.5, 1.25, 1e-5)), state.logHistory());
    assertFalse(state.finished());
  }

  @Test
  void knowsWhatIsBetter() {
    Optional<Best> best = Optional.of(new Best(0.5, 1, Optional.empty()));
    assertTrue(Best.isImprovedBy(best, 0.4, false));
    assertFalse(Best.isImprovedBy(best, 0.5, false));
    assertTrue(Best.isImprovedBy(best, 0.6, true));
    assertFalse(Best.isImprovedBy(best, Double.NaN, true));
    assertTrue(Best.isImprovedBy(Optional.empty(), 9, false));
    assertFalse(Best.isImprovedBy(Optional.empty(), Double.NaN, false));
  }

  @Test
  void stopsAfterSoManyWorseEvaluations() {
    EarlyStopping rule = new EarlyStopping(2).after(false);
    assertFalse(rule.isExhausted());
    assertFalse(rule.after(true).after(false).isExhausted());
    assertTrue(rule.after(false).isExhausted());
  }

  @Test
  void lossesAreSummedBetweenLogs() {
    LossSums sums = LossSums.ZERO.plus(1).plus(2);
    assertEquals(1.5, sums.meanSinceLog(2));
    sums = sums.loggedAt(2).plus(4);
    assertEquals(4, sums.meanSinceLog(3));
    assertEquals(7, sums.total());
  }
}
