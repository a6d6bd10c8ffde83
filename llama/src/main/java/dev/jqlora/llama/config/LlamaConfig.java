package dev.jqlora.llama.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The architecture of a Llama model, as {@code config.json} describes it.
 *
 * @param vocabSize rows of the embedding table
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width inside the MLP
 * @param layers decoder layers
 * @param heads query heads
 * @param kvHeads key and value heads; a divisor of {@code heads}
 * @param headDim elements of a head, even; {@code heads * headDim} need not equal {@code hiddenSize}
 * @param maxPositions the longest context the model was made for, in tokens
 * @param rmsNormEps added to the mean square inside RMSNorm's root
 * @param tiedEmbeddings whether the output head is the embedding table
 * @param initializerRange standard deviation of a fresh model's weights
 * @param dtype the type the weights were saved in, where the file says it
 * @param quantization present in folders that bitsandbytes quantized beforehand
 */
public record LlamaConfig(int vocabSize, int hiddenSize, int intermediateSize, int layers, int heads, int kvHeads,
    int headDim, int maxPositions, double rmsNormEps, Rope rope, boolean tiedEmbeddings, double initializerRange,
    SpecialIds ids, Optional<DType> dtype, Optional<QuantizationConfig> quantization) {
  public static final String FILE = "config.json";

  private static final String ARCHITECTURE = "LlamaForCausalLM";
  private static final int MAXIMUM_WIDTH = 1 << 20;
  private static final int MAXIMUM_VOCABULARY = 1 << 24;
  private static final int MAXIMUM_LAYERS = 1 << 12;
  private static final int MAXIMUM_POSITIONS = 1 << 28;

  /** Reads {@code config.json} of a model folder. */
  public static LlamaConfig read(Path folder) {
    return of(JsonObject.read(folder.resolve(FILE)));
  }

  /** Reads the content of a {@code config.json}; absent keys have the defaults of transformers. */
  public static LlamaConfig of(JsonObject json) {
    requireLlama(json);
    int hiddenSize = size(json, "hidden_size", MAXIMUM_WIDTH);
    int heads = size(json, "num_attention_heads", MAXIMUM_WIDTH);
    int kvHeads = json.positiveInt("num_key_value_heads", heads);
    if (heads % kvHeads != 0) {
      throw json.wrong("num_key_value_heads", "a divisor of num_attention_heads (%d)".formatted(heads));
    }
    return new LlamaConfig(size(json, "vocab_size", MAXIMUM_VOCABULARY), hiddenSize, size(json, "intermediate_size",
        MAXIMUM_WIDTH), size(json, "num_hidden_layers", MAXIMUM_LAYERS), heads, kvHeads,
        headDim(json, hiddenSize,
            heads),
        maxPositions(json), json.positive("rms_norm_eps", 1e-6), Rope.of(json), json.bool(
            "tie_word_embeddings", false),
        json.positive("initializer_range", 0.02), SpecialIds.of(json), Dtypes
            .read(json, json.has("dtype") ? "dtype" : "torch_dtype"),
        QuantizationConfig.of(json));
  }

  private static void requireLlama(JsonObject json) {
    String model = json.optionalText("model_type").orElseGet(() -> json.node().path("architectures").path(0).asText());
    if (!model.equals("llama") && !model.equals(ARCHITECTURE)) {
      throw json.wrong("model_type", "\"llama\" (Llama 3, 3.1, 3.2 and models of the same architecture)");
    }
    for (JsonNode architecture : json.node().path("architectures")) {
      if (!architecture.asText().equals(ARCHITECTURE)) {
        throw json.wrong("architectures", "[\"%s\"]".formatted(ARCHITECTURE));
      }
    }
    for (String bias : new String[]{"attention_bias", "mlp_bias"}) {
      if (json.bool(bias, false)) {
        throw json.wrong(bias, "false (Llama 3 has no biases)");
      }
    }
    if (!json.optionalText("hidden_act").orElse("silu").equals("silu")) {
      throw json.wrong("hidden_act", "\"silu\"");
    }
    if (json.number("attention_dropout", 0) != 0) {
      throw json.wrong("attention_dropout", "0");
    }
  }

  private static int headDim(JsonObject json, int hiddenSize, int heads) {
    if (!json.has("head_dim") && hiddenSize % heads != 0) {
      throw json.wrong("head_dim",
          "a size, since hidden_size (%d) is no multiple of num_attention_heads (%d)".formatted(
              hiddenSize, heads));
    }
    int headDim = json.positiveInt("head_dim", hiddenSize / heads);
    if (headDim % 2 != 0 || (long) headDim * heads > MAXIMUM_WIDTH) {
      throw json.wrong("head_dim", "an even size of at most %d / num_attention_heads".formatted(MAXIMUM_WIDTH));
    }
    return headDim;
  }

  private static int maxPositions(JsonObject json) {
    return json.has("max_position_embeddings") ? size(json, "max_position_embeddings", MAXIMUM_POSITIONS) : 2048;
  }

  private static int size(JsonObject json, String key, int most) {
    int value = json.positiveInt(key);
    if (value > most) {
      throw json.wrong(key, "at most " + most);
    }
    return value;
  }

  /** Elements of all query heads: rows of {@code q_proj}, columns of {@code o_proj}. */
  public int queryWidth() {
    return heads * headDim;
  }

  /** Elements of all key heads: rows of {@code k_proj} and of {@code v_proj}. */
  public int kvWidth() {
    return kvHeads * headDim;
  }

  /** Weights of the whole model; a tied head counts once. */
  public long parameters() {
    long attention = 2L * hiddenSize * queryWidth() + 2L * hiddenSize * kvWidth();
    long mlp = 3L * hiddenSize * intermediateSize;
    long norms = 2L * hiddenSize;
    long embedding = (long) vocabSize * hiddenSize;
    return layers * (attention + mlp + norms) + hiddenSize + (tiedEmbeddings ? 1 : 2) * embedding;
  }

  /** This model without its quantization: what it is once its weights are dequantized. */
  public LlamaConfig withoutQuantization() {
    return storedAs(dtype, Optional.empty());
  }

  /** This model with its weights stored in another way. */
  public LlamaConfig storedAs(DType stored, Optional<QuantizationConfig> quantized) {
    return storedAs(Optional.of(stored), quantized);
  }

  private LlamaConfig storedAs(Optional<DType> stored, Optional<QuantizationConfig> quantized) {
    return new LlamaConfig(vocabSize, hiddenSize, intermediateSize, layers, heads, kvHeads, headDim, maxPositions,
        rmsNormEps, rope, tiedEmbeddings, initializerRange, ids, stored, quantized);
  }

  /** The content of {@code config.json}, as transformers 4 lays it out (5 reads it too). */
  public ObjectNode toJson() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.putArray("architectures").add(ARCHITECTURE);
    json.put("attention_bias", false);
    json.put("attention_dropout", 0.0);
    ids.write(json);
    json.put("head_dim", headDim);
    json.put("hidden_act", "silu");
    json.put("hidden_size", hiddenSize);
    json.put("initializer_range", initializerRange);
    json.put("intermediate_size", intermediateSize);
    json.put("max_position_embeddings", maxPositions);
    json.put("mlp_bias", false);
    json.put("model_type", "llama");
    json.put("num_attention_heads", heads);
    json.put("num_hidden_layers", layers);
    json.put("num_key_value_heads", kvHeads);
    json.put("pretraining_tp", 1);
    quantization.ifPresent(config -> config.write(json));
    json.put("rms_norm_eps", rmsNormEps);
    rope.write(json);
    json.put("tie_word_embeddings", tiedEmbeddings);
    dtype.ifPresent(type -> json.put("torch_dtype", Dtypes.name(type)));
    json.put("use_cache", true);
    json.put("vocab_size", vocabSize);
    return json;
  }

  /** Writes {@code config.json} into a model folder. */
  public void write(Path folder) {
    AtomicFile.write(folder.resolve(FILE), JsonObject.pretty(toJson()));
  }
}
