package dev.jqlora.llama.adapter;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.Projection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterConfigTest {
  private static final EnumSet<Projection> ALL = EnumSet.allOf(Projection.class);

  private static AdapterConfig parse(String json) {
    return AdapterConfig.of(JsonObject.parse("adapter_config.json", json));
  }

  @Test
  void writesThePageThatPeftWrites(@TempDir Path folder) throws IOException {
    new AdapterConfig("meta-llama/Meta-Llama-3-8B", 16, 32, 0.05, false, EnumSet.of(Projection.V_PROJ,
        Projection.Q_PROJ)).write(folder);
    assertEquals("""
        {
          "alora_invocation_tokens": null,
          "alpha_pattern": {},
          "arrow_config": null,
          "auto_mapping": null,
          "base_model_name_or_path": "meta-llama/Meta-Llama-3-8B",
          "bias": "none",
          "corda_config": null,
          "ensure_weight_tying": false,
          "eva_config": null,
          "exclude_modules": null,
          "fan_in_fan_out": false,
          "inference_mode": true,
          "init_lora_weights": true,
          "layer_replication": null,
          "layers_pattern": null,
          "layers_to_transform": null,
          "loftq_config": {},
          "lora_alpha": 32,
          "lora_bias": false,
          "lora_dropout": 0.05,
          "megatron_config": null,
          "megatron_core": "megatron.core",
          "modules_to_save": null,
          "peft_type": "LORA",
          "peft_version": "0.18.1",
          "qalora_group_size": 16,
          "r": 16,
          "rank_pattern": {},
          "revision": null,
          "target_modules": [
            "q_proj",
            "v_proj"
          ],
          "target_parameters": null,
          "task_type": "CAUSAL_LM",
          "trainable_token_indices": null,
          "use_dora": false,
          "use_qalora": false,
          "use_rslora": false
        }""", Files.readString(folder.resolve(AdapterConfig.FILE)));
  }

  @Test
  void whatIsWrittenIsReadBack(@TempDir Path folder) {
    for (AdapterConfig config : List.of(new AdapterConfig("base", 8, 12.5, 0.1, true, ALL), new AdapterConfig(Optional
        .empty(), 4, 8, 0, false, EnumSet.of(Projection.DOWN_PROJ, Projection.K_PROJ), Map.of(Projection.K_PROJ, 2),
        Map.of(Projection.DOWN_PROJ, 3.5)))) {
      config.write(folder);
      assertEquals(config, AdapterConfig.read(folder));
    }
  }

  @Test
  void readsTheGoldenAdapter() {
    assertEquals(new AdapterConfig("stories260K", 16, 32, 0, false, ALL), AdapterConfig.read(SharedData.path(
        "golden/lora/initial")));
  }

  @Test
  void acceptsUnknownKeysAndPeftsDefaults() {
    AdapterConfig config = parse("""
        {"target_modules": ["q_proj", "q_proj"], "a_key_of_tomorrow": {"deep": [1]}, "modules_to_save": []}""");
    assertEquals(new AdapterConfig(Optional.empty(), 8, 8, 0, false, EnumSet.of(Projection.Q_PROJ), Map.of(), Map.of()),
        config);
    assertEquals(ALL, parse("{\"target_modules\": \"all-linear\"}").targets());
  }

  @Test
  void givesEachProjectionItsRankAndScale() {
    LoraSpec spec = parse("""
        {"r": 16, "lora_alpha": 32, "lora_dropout": 0.5, "target_modules": ["v_proj", "q_proj", "k_proj"],
         "rank_pattern": {"k_proj": 4}, "alpha_pattern": {"v_proj": 8}}""").spec();
    assertEquals(List.of(Projection.Q_PROJ, Projection.K_PROJ, Projection.V_PROJ), List.copyOf(spec.ranks().keySet()));
    assertEquals(16, spec.rank(Projection.Q_PROJ));
    assertEquals(4, spec.rank(Projection.K_PROJ));
    assertEquals(Map.of(Projection.Q_PROJ, 2f, Projection.K_PROJ, 8f, Projection.V_PROJ, 0.5f), spec.scales());
    assertEquals(0.5f, spec.dropout());
    assertFalse(spec.covers(Projection.O_PROJ));
  }

  @Test
  void rsLoraDividesByTheRoot() {
    AdapterConfig config = new AdapterConfig("base", 16, 32, 0, true, ALL);
    assertEquals(8f, config.spec().scale(Projection.UP_PROJ));
  }

  @Test
  void refusesOtherArithmetic() {
    for (String entry : List.of("\"use_dora\": true", "\"use_qalora\": true", "\"lora_bias\": true",
        "\"fan_in_fan_out\": true", "\"bias\": \"all\"", "\"peft_type\": \"LOHA\"", "\"task_type\": \"SEQ_CLS\"",
        "\"modules_to_save\": [\"lm_head\"]", "\"layers_to_transform\": [0, 1]", "\"layers_to_transform\": 3",
        "\"layer_replication\": [[0, 4]]", "\"exclude_modules\": \"q_proj\"", "\"target_parameters\": [\"x\"]",
        "\"trainable_token_indices\": [7]", "\"alora_invocation_tokens\": [1]", "\"init_lora_weights\": \"pissa\"",
        "\"init_lora_weights\": \"loftq\"", "\"rank_pattern\": {\"model.layers.0.self_attn.q_proj\": 4}",
        "\"rank_pattern\": {\"q_proj\": 0}", "\"alpha_pattern\": {\".*q_proj\": 4}", "\"alpha_pattern\": [4]",
        "\"alpha_pattern\": {\"q_proj\": -1}", "\"r\": 0", "\"r\": 1.5", "\"r\": 2000000000", "\"lora_alpha\": 0",
        "\"lora_alpha\": \"32\"", "\"lora_dropout\": 1", "\"lora_dropout\": -0.1", "\"use_rslora\": 1",
        "\"base_model_name_or_path\": 5")) {
      String key = entry.substring(0, entry.indexOf(':'));
      var error = OneLineError.assertThrown(() -> parse("{\"target_modules\": [\"q_proj\"], " + entry + "}"), key,
          "expected", "adapter_config.json");
      assertEquals(Kind.MODEL, error.kind(), entry);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "[]", "\".*_proj\"", "\"q_proj\"", "{}", "[\"lm_head\"]", "[\"embed_tokens\"]", "[7]",
      "[\"q_proj\", \"model.layers.0.self_attn.k_proj\"]"})
  void refusesTargetsThatAreNoLinearLayers(String targets) {
    OneLineError.assertThrown(() -> parse("{\"target_modules\": " + targets + "}"), "\"target_modules\"",
        "expected", "gate_proj");
  }

  @Test
  void namesOfTheYamlBecomeTargets() {
    assertEquals(ALL, AdapterConfig.targets(List.of("all")));
    assertEquals(EnumSet.of(Projection.Q_PROJ, Projection.UP_PROJ), AdapterConfig.targets(List.of("up_proj",
        "q_proj")));
    var error = OneLineError.assertThrown(() -> AdapterConfig.targets(List.of("q_proj", "qproj")), "\"qproj\"");
    assertEquals(Kind.CONFIG, error.kind());
  }

  @ParameterizedTest
  @CsvSource({"/models/llama/, /elsewhere/llama, false", "org/llama, /elsewhere/llama, false",
      "org/llama, org/llama-2, true"})
  void noticesAnotherBaseModel(String trained, String now, boolean noticed) {
    AdapterConfig config = new AdapterConfig(trained, 8, 16, 0, false, ALL);
    assertEquals(noticed, config.baseMismatch(now).isPresent());
    assertTrue(new AdapterConfig(Optional.empty(), 8, 16, 0, false, ALL, Map.of(), Map.of()).baseMismatch(now)
        .isEmpty());
  }
}
