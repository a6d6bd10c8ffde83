package dev.jqlora.llama.config;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.files.JsonObject;
import java.util.Optional;

/**
 * The {@code quantization_config} of a checkpoint that bitsandbytes quantized to NF4 beforehand. Which tensors are
 * quantized is not here: each tensor's companions in the checkpoint tell.
 *
 * @param doubleQuantization whether the block scales are quantized too
 * @param computeDtype the type of activations that the checkpoint suggests
 */
public record QuantizationConfig(boolean doubleQuantization, Optional<DType> computeDtype) {
  private static final String KEY = "quantization_config";
  private static final String METHOD = "quant_method";
  private static final String FOUR_BIT = "load_in_4bit";
  private static final String EIGHT_BIT = "load_in_8bit";
  private static final String TYPE = "bnb_4bit_quant_type";
  private static final String DOUBLE = "bnb_4bit_use_double_quant";
  private static final String COMPUTE = "bnb_4bit_compute_dtype";

  static Optional<QuantizationConfig> of(JsonObject config) {
    return config.object(KEY).map(QuantizationConfig::parse);
  }

  private static QuantizationConfig parse(JsonObject json) {
    if (!json.optionalText(METHOD).orElse("bitsandbytes").equals("bitsandbytes")) {
      throw json.wrong(METHOD, "\"bitsandbytes\" (or use the unquantized model)");
    }
    if (json.bool(EIGHT_BIT, false) || !json.bool(FOUR_BIT, false)) {
      throw json.wrong(FOUR_BIT, "true, and %s false: only 4-bit checkpoints are read".formatted(EIGHT_BIT));
    }
    if (!json.optionalText(TYPE).orElse("fp4").equals("nf4")) {
      throw json.wrong(TYPE, "\"nf4\"");
    }
    return new QuantizationConfig(json.bool(DOUBLE, false), Dtypes.read(json, COMPUTE));
  }

  void write(ObjectNode config) {
    ObjectNode json = config.putObject(KEY);
    json.put("_load_in_4bit", true);
    json.put("_load_in_8bit", false);
    computeDtype.ifPresent(dtype -> json.put(COMPUTE, Dtypes.name(dtype)));
    json.put("bnb_4bit_quant_storage", "uint8");
    json.put(TYPE, "nf4");
    json.put(DOUBLE, doubleQuantization);
    json.put("llm_int8_enable_fp32_cpu_offload", false);
    json.put("llm_int8_has_fp16_weight", false);
    json.putNull("llm_int8_skip_modules");
    json.put("llm_int8_threshold", 6.0);
    json.put(FOUR_BIT, true);
    json.put(EIGHT_BIT, false);
    json.put(METHOD, "bitsandbytes");
  }
}
