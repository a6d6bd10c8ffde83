package dev.jqlora.training.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.JsonObject;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** An entry of the log history in {@code trainer_state.json}, with the keys of transformers; no number is rounded. */
public sealed interface LogEntry {
  /** What the keys of an evaluation's figures begin with. */
  String EVAL_PREFIX = "eval_";

  /** Epochs done, with the share of the one in progress. */
  double epoch();

  /** Optimizer steps done. */
  int step();

  /**
   * What training has come to.
   *
   * @param loss mean over the steps since the last entry of this kind
   * @param gradNorm of the last step, before clipping
   * @param learningRate that the last step used
   */
  record Step(double epoch, int step, double loss, double gradNorm, double learningRate) implements LogEntry {
    @Override
    public SortedMap<String, Double> values() {
      return new TreeMap<>(Map.of("loss", loss, "grad_norm", gradNorm, "learning_rate", learningRate));
    }
  }

  /**
   * An evaluation.
   *
   * @param values its figures by names that begin with {@code eval_}: {@code eval_loss}, those of {@link Speed}, ...
   */
  record Evaluation(double epoch, int step, SortedMap<String, Double> values) implements LogEntry {
    public Evaluation {
      values = Collections.unmodifiableSortedMap(new TreeMap<>(values));
      if (!values.keySet().stream().allMatch(name -> name.startsWith(EVAL_PREFIX))) {
        throw new IllegalArgumentException("figures of an evaluation are named eval_...: " + values.keySet());
      }
    }
  }

  /**
   * The end of training.
   *
   * @param totalFlos floating-point operations of the whole run
   * @param trainLoss mean over all steps
   */
  record Summary(double epoch, int step, double totalFlos, double trainLoss, Speed speed) implements LogEntry {
    @Override
    public SortedMap<String, Double> values() {
      SortedMap<String, Double> values = speed.values("train");
      values.put("total_flos", totalFlos);
      values.put("train_loss", trainLoss);
      return values;
    }
  }

  /** The figures by name, epoch and step aside. */
  SortedMap<String, Double> values();

  /** The entry as transformers writes it, keys sorted. */
  default ObjectNode toJson() {
    SortedMap<String, JsonNode> fields = new TreeMap<>();
    values().forEach((name, value) -> fields.put(name, Numbers.json(value)));
    fields.put("epoch", Numbers.json(epoch()));
    fields.put("step", IntNode.valueOf(step()));
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.setAll(fields);
    return json;
  }

  /** Reads an entry back; its keys tell its kind. */
  static LogEntry of(JsonObject json) {
    double epoch = Numbers.read(json, "epoch");
    int step = Math.toIntExact(Math.min(json.count("step"), Integer.MAX_VALUE));
    if (json.has("train_loss")) {
      return new Summary(epoch, step, Numbers.read(json, "total_flos"), Numbers.read(json, "train_loss"), new Speed(
          Numbers.read(json, "train_runtime"), Numbers.read(json, "train_samples_per_second"), Numbers.read(json,
              "train_steps_per_second")));
    }
    if (json.has("loss")) {
      return new Step(epoch, step, Numbers.read(json, "loss"), Numbers.read(json, "grad_norm"), Numbers.read(json,
          "learning_rate"));
    }
    SortedMap<String, Double> values = new TreeMap<>();
    for (Map.Entry<String, JsonNode> field : json.fields()) {
      if (field.getKey().startsWith(EVAL_PREFIX)) {
        values.put(field.getKey(), Numbers.read(json, field.getKey()));
      }
    }
    if (values.isEmpty()) {
      throw json.error("an entry without figures; expected loss, eval_loss or train_loss in it");
    }
    return new Evaluation(epoch, step, values);
  }
}
