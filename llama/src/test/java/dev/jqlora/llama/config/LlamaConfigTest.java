package dev.jqlora.llama.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LlamaConfigTest {
  private static final String MINIMAL = """
      {"model_type": "llama", "vocab_size": 512, "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5,
       "num_attention_heads": 8}""";

  @TempDir
  Path folder;

  @Test
  void readsATrainedModel() {
    LlamaConfig config = LlamaConfig.read(SharedData.path("stories260K"));
    assertEquals(64, config.hiddenSize());
    assertEquals(4, config.kvHeads());
    assertEquals(8, config.headDim());
    assertEquals(new Rope(10_000, Optional.empty()), config.rope());
    assertEquals(Optional.of(DType.F32), config.dtype());
    assertTrue(config.tiedEmbeddings());
    assertEquals(260_032, config.parameters());
    assertEquals(Optional.empty(), config.quantization());
  }

  @Test
  void readsAQuantizedModel() {
    LlamaConfig config = LlamaConfig.read(SharedData.path("golden/model-bnb-4bit"));
    assertEquals(Optional.of(new QuantizationConfig(true, Optional.of(DType.F32))), config.quantization());
    assertEquals(Optional.empty(), config.withoutQuantization().quantization());
  }

  @Test
  void absentKeysHaveTheDefaultsOfTransformers() {
    LlamaConfig config = parse(MINIMAL);
    assertEquals(8, config.kvHeads());
    assertEquals(8, config.headDim());
    assertEquals(1e-6, config.rmsNormEps());
    assertEquals(10_000, config.rope().theta());
    assertFalse(config.tiedEmbeddings());
    assertEquals(new SpecialIds(OptionalInt.empty(), List.of(), OptionalInt.empty()), config.ids());
    assertEquals(Optional.empty(), config.dtype());
  }

  @Test
  void readsBothSpellingsOfRopeAndDtype() {
    String scaling = "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
        + "\"original_max_position_embeddings\": 8192, \"rope_type\": \"llama3\"";
    LlamaConfig older = parse(with("\"rope_theta\": 500000.0, \"rope_scaling\": {" + scaling
        + "}, \"torch_dtype\": \"bfloat16\""));
    LlamaConfig newer = parse(with("\"rope_parameters\": {\"rope_theta\": 500000.0, " + scaling
        + "}, \"dtype\": \"bfloat16\""));
    assertEquals(older, newer);
    assertEquals(new Rope(500_000, Optional.of(new Rope.Llama3Scaling(8, 1, 4, 8192))), newer.rope());
    assertEquals(Optional.empty(), parse(with("\"rope_parameters\": {\"rope_type\": \"default\"}")).rope().scaling());
  }

  @Test
  void knownModelsHaveTheirPublishedSizes() {
    assertEquals(8_030_261_248L, KnownConfigs.named("llama-3-8b").orElseThrow().parameters());
    assertEquals(8_030_261_248L, KnownConfigs.named("llama-3.1-8b").orElseThrow().parameters());
    assertEquals(1_235_814_400L, KnownConfigs.named("llama-3.2-1b").orElseThrow().parameters());
    assertEquals(3_212_749_824L, KnownConfigs.named("llama-3.2-3b").orElseThrow().parameters());
    assertEquals(70_553_706_496L, KnownConfigs.named("llama-3-70b").orElseThrow().parameters());
    assertEquals(Optional.empty(), KnownConfigs.named("llama-4"));
  }

  @Test
  void writtenConfigsReadBackTheSame() {
    for (LlamaConfig config : KnownConfigs.all().values()) {
      config.write(folder);
      assertEquals(config, LlamaConfig.read(folder));
    }
    LlamaConfig quantized = LlamaConfig.read(SharedData.path("golden/model-bnb-4bit"));
    quantized.write(folder);
    assertEquals(quantized, LlamaConfig.read(folder));
  }

  @Test
  void generationConfigComesBeforeConfig() throws IOException {
    LlamaConfig config = parse(with("\"bos_token_id\": 1, \"eos_token_id\": 2, \"pad_token_id\": -1"));
    assertEquals(config.ids(), GenerationConfig.read(folder, config).ids());
    Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [7, 8], \"temperature\": 0.6}");
    assertEquals(new SpecialIds(OptionalInt.of(1), List.of(7, 8), OptionalInt.empty()), GenerationConfig.read(folder,
        config).ids());
    Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": \"x\"}");
    OneLineError.assertThrown(() -> GenerationConfig.read(folder, config), "generation_config.json",
        "\"eos_token_id\" is \"x\"; expected a token id or an array of them");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '~', value = {"\"hidden_act\": \"gelu\" | \"hidden_act\" is \"gelu\"",
      "\"attention_bias\": true | \"attention_bias\" is true; expected false",
      "\"mlp_bias\": 1 | \"mlp_bias\" is 1; expected true or false",
      "\"num_key_value_heads\": 3 | expected a divisor of num_attention_heads (8)",
      "\"num_key_value_heads\": 0 | expected a positive integer",
      "\"num_key_value_heads\": 99999999999 | expected an integer of 32 bits",
      "\"head_dim\": 7 | expected an even size", "\"head_dim\": 1000000000 | expected an even size",
      "\"max_position_embeddings\": 2e3 | \"max_position_embeddings\" is 2000.0",
      "\"rms_norm_eps\": -1 | expected a number above 0", "\"rms_norm_eps\": 1e999 | expected a finite number",
      "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0} | rope type \"linear\" is not supported",
      "\"rope_scaling\": {\"rope_type\": \"llama3\"} | \"factor\" is missing",
      "\"rope_scaling\": 8 | \"rope_scaling\" is 8; expected an object",
      "\"rope_parameters\": {\"rope_type\": \"yarn\"} | \"yarn\"", "\"partial_rotary_factor\": 0.5 | expected 1",
      "\"torch_dtype\": \"int8\" | \"torch_dtype\" is \"int8\"", "\"tie_word_embeddings\": \"yes\" | expected true or",
      "\"architectures\": [\"LlamaForSequenceClassification\"] | [\"LlamaForCausalLM\"]",
      "\"quantization_config\": {\"quant_method\": \"gptq\"} | \"quant_method\" is \"gptq\"",
      "\"quantization_config\": {\"load_in_8bit\": true} | only 4-bit",
      "\"quantization_config\": {\"load_in_4bit\": true} | expected \"nf4\"",
      "\"vocab_size\": 5 | ~Duplicate field 'vocab_size'~"})
  void whatIsNotSupportedIsNamed(String fields, String message) {
    OneLineError.assertThrown(() -> parse(with(fields)), "config.json", message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '~', value = {"\"llama\" | \"mistral\" | \"model_type\" is \"mistral\"",
      "\"llama\" | 3 | expected a string", "512 | 0 | \"vocab_size\" is 0", "512 | 2000000000 | at most 16777216",
      "64 | 65 | \"head_dim\" is missing; expected a size", "5, | 4.5, | expected an integer",
      "512 | \"512\" | integer",
      "172 | [172] | \"intermediate_size\" is an array"})
  void wrongValuesAreNamed(String from, String to, String message) {
    OneLineError.assertThrown(() -> parse(MINIMAL.replaceFirst(from, to)), "config.json", message);
  }

  private static String with(String fields) {
    return MINIMAL.substring(0, MINIMAL.length() - 1) + ", " + fields + "}";
  }

  private static LlamaConfig parse(String json) {
    return LlamaConfig.of(JsonObject.parse("config.json", json));
  }
}
