package dev.jqlora.llama.adapter;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.llama.files.JsonObject;
import java.util.List;
import java.util.Set;

/** Refuses adapters whose arithmetic is not done here, each with the reason. */
final class UnsupportedAdapter {
  /** Ways of initialisation that leave the base model's weights as they are. */
  private static final Set<String> HARMLESS_INITIALISATION = Set.of("gaussian", "eva", "orthogonal");

  private static final List<Switch> SWITCHES = List.of(new Switch("use_dora", "DoRA"), new Switch("use_qalora",
      "QALoRA"), new Switch("lora_bias", "a bias in B"), new Switch("fan_in_fan_out", "transposed weights"));

  /** Keys whose value, other than null or empty, changes which weights there are or what is done with them. */
  private static final List<String> EMPTY = List.of("modules_to_save", "layers_to_transform", "layer_replication",
      "exclude_modules", "target_parameters", "trainable_token_indices", "alora_invocation_tokens", "arrow_config");

  /** A key that must be false, and what it stands for. */
  private record Switch(String key, String meaning) {}

  private UnsupportedAdapter() {}

  static void check(JsonObject json) {
    requireText(json, "peft_type", "LORA");
    requireText(json, "task_type", "CAUSAL_LM");
    requireText(json, "bias", "none");
    for (Switch option : SWITCHES) {
      if (json.bool(option.key(), false)) {
        throw json.wrong(option.key(), "false (%s is not supported)".formatted(option.meaning()));
      }
    }
    for (String key : EMPTY) {
      if (json.has(key) && !(json.node().get(key).isContainerNode() && json.node().get(key).isEmpty())) {
        throw json.wrong(key, "null (anything else is not supported)");
      }
    }
    checkInitialisation(json);
  }

  private static void requireText(JsonObject json, String key, String only) {
    if (!json.optionalText(key).orElse(only).equals(only)) {
      throw json.wrong(key, "%s (nothing else is supported)".formatted(quoted(only)));
    }
  }

  private static void checkInitialisation(JsonObject json) {
    JsonNode value = json.node().path("init_lora_weights");
    boolean known = value.isMissingNode() || value.isNull() || value.isBoolean();
    if (!known && !(value.isTextual() && HARMLESS_INITIALISATION.contains(value.textValue()))) {
      throw json.wrong("init_lora_weights",
          "true, false, \"gaussian\", \"eva\" or \"orthogonal\" (others change the base model's weights)");
    }
  }
}
