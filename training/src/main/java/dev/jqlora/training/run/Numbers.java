package dev.jqlora.training.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.jqlora.llama.files.JsonObject;
import java.util.Map;
import java.util.Objects;

/** Doubles in JSON, to the bit: the shortest text that reads back the same; NaN and infinities as strings. */
final class Numbers {
  private static final Map<String, Double> NON_FINITE = Map.of("NaN", Double.NaN, "Infinity", Double.POSITIVE_INFINITY,
      "-Infinity", Double.NEGATIVE_INFINITY);

  private Numbers() {}

  static JsonNode json(double value) {
    return Double.isFinite(value) ? DoubleNode.valueOf(value) : TextNode.valueOf(Double.toString(value));
  }

  /** The number, which must be there. */
  static double read(JsonObject json, String key) {
    JsonNode value = json.node().path(key);
    if (value.isTextual() && NON_FINITE.containsKey(value.textValue())) {
      return Objects.requireNonNull(NON_FINITE.get(value.textValue()));
    }
    if (!json.has(key)) {
      throw json.wrong(key, "a number");
    }
    return json.number(key, 0);
  }
}
