package dev.jqlora.training.run;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.training.schedule.PlateauState;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a run needs besides {@link TrainerState}, weights and optimizer states to go on as if it had never stopped. The
 * place in the data order follows from the step.
 *
 * @param globalStep optimizer steps done
 * @param elapsedSeconds time spent in all parts of the run
 * @param fixed what must not change between the parts: seed, batch sizes, digest of the data, ..., by name
 */
public record ResumeState(int globalStep, LossSums losses, Optional<PlateauState> plateau, double elapsedSeconds,
    SortedMap<String, String> fixed) {
  public ResumeState {
    fixed = Collections.unmodifiableSortedMap(new TreeMap<>(fixed));
  }

  /**
   * Makes sure that the run to come is the one that was saved. A checkpoint of an earlier version may lack a name: what was
   * not saved cannot be compared.
   *
   * @param now the same names with the values of the run to come
   * @throws JqloraException {@code CONFIG} naming the first difference
   */
  public void requireSame(Map<String, String> now, Path checkpoint) {
    fixed.forEach((name, before) -> {
      String after = now.get(name);
      if (!before.equals(after)) {
        throw new JqloraException(Kind.CONFIG, ("%s was saved with %s %s, now it is %s; go on with the same value, or "
            + "start anew with overwrite_output_dir: true").formatted(checkpoint, name, quoted(before), shown(after)));
      }
    });
  }

  private static String shown(@Nullable String value) {
    return value == null ? "not set" : quoted(value);
  }

  ObjectNode toJson() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("global_step", globalStep);
    json.set("loss_total", Numbers.json(losses.total()));
    json.set("loss_since_log", Numbers.json(losses.sinceLog()));
    json.put("last_logged_step", losses.lastLoggedStep());
    json.set("elapsed_seconds", Numbers.json(elapsedSeconds));
    plateau.ifPresent(state -> {
      ObjectNode fields = json.putObject("plateau");
      fields.set("rate", Numbers.json(state.rate()));
      fields.set("best", Numbers.json(state.best()));
      fields.put("bad_evaluations", state.badEvaluations());
      fields.put("cooldown_left", state.cooldownLeft());
    });
    ObjectNode settings = json.putObject("fixed");
    fixed.forEach(settings::put);
    return json;
  }

  static ResumeState of(JsonObject json) {
    SortedMap<String, String> fixed = new TreeMap<>();
    JsonObject settings = json.object("fixed").orElseThrow(() -> json.wrong("fixed", "an object"));
    settings.fields().forEach(field -> fixed.put(field.getKey(), settings.text(field.getKey())));
    LossSums losses = new LossSums(Numbers.read(json, "loss_total"), Numbers.read(json, "loss_since_log"), json
        .intValue("last_logged_step", 0));
    return new ResumeState(json.positiveInt("global_step"), losses, json.object("plateau").map(ResumeState::plateau),
        Numbers.read(json, "elapsed_seconds"), fixed);
  }

  private static PlateauState plateau(JsonObject json) {
    return new PlateauState(Numbers.read(json, "rate"), Numbers.read(json, "best"), json.intValue("bad_evaluations",
        0), json.intValue("cooldown_left", 0));
  }
}
