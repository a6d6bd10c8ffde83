package dev.jqlora.training.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * {@code trainer_state.json} with the keys of transformers 4.57.
 *
 * @param globalStep optimizer steps done
 * @param epoch epochs done, with the share of the one in progress
 * @param finished whether nothing remains to be trained
 * @param tokensSeen input tokens trained on
 * @param totalFlos floating-point operations spent
 */
public record TrainerState(int globalStep, double epoch, boolean finished, long tokensSeen, double totalFlos,
    RunPlan plan, Optional<Best> best, Optional<EarlyStopping> earlyStopping, List<LogEntry> logHistory) {
  public static final String FILE = "trainer_state.json";

  private static final String EARLY_STOPPING = "EarlyStoppingCallback";
  private static final String CONTROL = "TrainerControl";
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  public TrainerState {
    logHistory = List.copyOf(logHistory);
  }

  /** This state with another entry in its history. */
  public TrainerState logged(LogEntry entry) {
    List<LogEntry> longer = new ArrayList<>(logHistory);
    longer.add(entry);
    return new TrainerState(globalStep, epoch, finished, tokensSeen, totalFlos, plan, best, earlyStopping, longer);
  }

  /** This state after another optimizer step. */
  public TrainerState stepped(double newEpoch, long tokens, double flops) {
    return new TrainerState(globalStep + 1, newEpoch, false, tokensSeen + tokens, totalFlos + flops, plan, best,
        earlyStopping, logHistory);
  }

  /** This state after an evaluation. */
  public TrainerState evaluated(Optional<Best> newBest, Optional<EarlyStopping> stopping) {
    return new TrainerState(globalStep, epoch, finished, tokensSeen, totalFlos, plan, newBest, stopping, logHistory);
  }

  /** This state as it is saved. */
  public TrainerState saved(Optional<Best> newBest, boolean isFinished) {
    return new TrainerState(globalStep, epoch, isFinished, tokensSeen, totalFlos, plan, newBest, earlyStopping,
        logHistory);
  }

  /** Reads {@code trainer_state.json} of a folder; keys that are not needed to go on are not looked at. */
  public static TrainerState read(Path folder) {
    return of(JsonObject.read(folder.resolve(FILE)));
  }

  static TrainerState of(JsonObject json) {
    RunPlan plan = new RunPlan(json.positiveInt("max_steps"), size(json, "num_train_epochs"), size(json, "eval_steps"),
        size(json, "logging_steps"), size(json, "save_steps"), size(json, "train_batch_size"));
    List<LogEntry> history = json.objects("log_history").stream().map(LogEntry::of).toList();
    Optional<JsonObject> callbacks = json.object("stateful_callbacks");
    boolean finished = callbacks.flatMap(all -> all.object(CONTROL)).flatMap(control -> control.object("args")).map(
        args -> args.bool("should_training_stop", false)).orElse(false);
    return new TrainerState(size(json, "global_step"), Numbers.read(json, "epoch"), finished, json.count(
        "num_input_tokens_seen"), Numbers.read(json, "total_flos"), plan, best(json),
        callbacks.flatMap(
            all -> all.object(EARLY_STOPPING)).map(TrainerState::earlyStopping),
        history);
  }

  private static int size(JsonObject json, String key) {
    if (json.count(key) > Integer.MAX_VALUE) {
      throw json.wrong(key, "an integer of 32 bits");
    }
    return (int) json.count(key);
  }

  private static Optional<Best> best(JsonObject json) {
    return json.has("best_metric")
        ? Optional.of(new Best(Numbers.read(json, "best_metric"), size(json, "best_global_step"), json.optionalText(
            "best_model_checkpoint")))
        : Optional.empty();
  }

  private static EarlyStopping earlyStopping(JsonObject callback) {
    int patience = callback.object("args").map(args -> args.positiveInt("early_stopping_patience")).orElseThrow(
        () -> callback.wrong("args", "an object"));
    int counter = callback.object("attributes").map(attributes -> size(attributes, "early_stopping_patience_counter"))
        .orElseThrow(() -> callback.wrong("attributes", "an object"));
    return new EarlyStopping(patience, counter);
  }

  /** The content of the file, keys sorted. */
  public ObjectNode toJson() {
    SortedMap<String, JsonNode> fields = new TreeMap<>();
    fields.put("best_global_step", best.<JsonNode>map(known -> NODES.numberNode(known.step())).orElse(NODES
        .nullNode()));
    fields.put("best_metric", best.map(known -> Numbers.json(known.metric())).orElse(NODES.nullNode()));
    fields.put("best_model_checkpoint", best.flatMap(Best::checkpoint).<JsonNode>map(NODES::textNode).orElse(NODES
        .nullNode()));
    fields.put("epoch", Numbers.json(epoch));
    fields.put("eval_steps", NODES.numberNode(plan.evalSteps()));
    fields.put("global_step", NODES.numberNode(globalStep));
    fields.put("is_hyper_param_search", NODES.booleanNode(false));
    fields.put("is_local_process_zero", NODES.booleanNode(true));
    fields.put("is_world_process_zero", NODES.booleanNode(true));
    ArrayNode history = NODES.arrayNode();
    logHistory.forEach(entry -> history.add(entry.toJson()));
    fields.put("log_history", history);
    fields.put("logging_steps", NODES.numberNode(plan.loggingSteps()));
    fields.put("max_steps", NODES.numberNode(plan.maxSteps()));
    fields.put("num_input_tokens_seen", NODES.numberNode(tokensSeen));
    fields.put("num_train_epochs", NODES.numberNode(plan.epochs()));
    fields.put("save_steps", NODES.numberNode(plan.saveSteps()));
    fields.put("stateful_callbacks", callbacks());
    fields.put("total_flos", Numbers.json(totalFlos));
    fields.put("train_batch_size", NODES.numberNode(plan.trainBatchSize()));
    fields.put("trial_name", NODES.nullNode());
    fields.put("trial_params", NODES.nullNode());
    ObjectNode json = NODES.objectNode();
    json.setAll(fields);
    return json;
  }

  private ObjectNode callbacks() {
    ObjectNode callbacks = NODES.objectNode();
    earlyStopping.ifPresent(rule -> {
      ObjectNode callback = callbacks.putObject(EARLY_STOPPING);
      callback.putObject("args").put("early_stopping_patience", rule.patience()).put("early_stopping_threshold", 0.0);
      callback.putObject("attributes").put("early_stopping_patience_counter", rule.counter());
    });
    ObjectNode control = callbacks.putObject(CONTROL);
    control.putObject("args").put("should_epoch_stop", false).put("should_evaluate", false).put("should_log", false)
        .put("should_save", true).put("should_training_stop", finished);
    control.putObject("attributes");
    return callbacks;
  }

  /** Writes {@code trainer_state.json} into a folder. */
  public void write(Path folder) {
    AtomicFile.write(folder.resolve(FILE), JsonObject.pretty(toJson()));
  }
}
