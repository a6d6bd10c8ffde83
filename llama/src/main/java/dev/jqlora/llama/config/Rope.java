package dev.jqlora.llama.config;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import java.util.Optional;

/**
 * Rotary position embedding: element pair i of a head turns by {@code position * inverseFrequencies[i]} radians.
 *
 * @param theta the base of the frequencies
 * @param scaling how Llama 3.1 and later stretch them beyond the context of pretraining
 */
public record Rope(double theta, Optional<Llama3Scaling> scaling) {
  private static final double DEFAULT_THETA = 10_000;
  private static final String THETA = "rope_theta";
  private static final String SCALING = "rope_scaling";
  private static final String PARAMETERS = "rope_parameters";
  private static final String PARTIAL = "partial_rotary_factor";

  /**
   * The {@code llama3} rope type: wavelengths above {@code originalPositions / lowFrequencyFactor} grow by the factor,
   * those below {@code originalPositions / highFrequencyFactor} stay, those between are blended.
   */
  public record Llama3Scaling(double factor, double lowFrequencyFactor, double highFrequencyFactor,
      int originalPositions) {
    private static final String TYPE = "llama3";

    private static Llama3Scaling of(JsonObject json) {
      Llama3Scaling scaling = new Llama3Scaling(json.positive("factor"), json.positive("low_freq_factor"),
          json.positive(
              "high_freq_factor"),
          json.positiveInt("original_max_position_embeddings"));
      if (scaling.highFrequencyFactor <= scaling.lowFrequencyFactor) {
        throw json.wrong("high_freq_factor", "a number above low_freq_factor");
      }
      return scaling;
    }

    private void write(ObjectNode json) {
      json.put("factor", factor);
      json.put("high_freq_factor", highFrequencyFactor);
      json.put("low_freq_factor", lowFrequencyFactor);
      json.put("original_max_position_embeddings", originalPositions);
      json.put("rope_type", TYPE);
    }

    private float scale(float inverseFrequency) {
      float wavelength = (float) (2 * Math.PI) / inverseFrequency;
      if (wavelength < originalPositions / highFrequencyFactor) {
        return inverseFrequency;
      }
      if (wavelength > originalPositions / lowFrequencyFactor) {
        return inverseFrequency / (float) factor;
      }
      float smooth = (originalPositions / wavelength - (float) lowFrequencyFactor) / (float) (highFrequencyFactor
          - lowFrequencyFactor);
      return (1 - smooth) * inverseFrequency / (float) factor + smooth * inverseFrequency;
    }
  }

  /** Reads {@code rope_theta} and {@code rope_scaling}, or {@code rope_parameters} of newer files. */
  static Rope of(JsonObject config) {
    requireFullRotation(config);
    Optional<JsonObject> parameters = config.object(PARAMETERS);
    if (parameters.isPresent()) {
      requireFullRotation(parameters.get());
      double theta = parameters.get().positive(THETA, config.positive(THETA, DEFAULT_THETA));
      return new Rope(theta, scaling(parameters.get()));
    }
    return new Rope(config.positive(THETA, DEFAULT_THETA), config.object(SCALING).flatMap(Rope::scaling));
  }

  private static Optional<Llama3Scaling> scaling(JsonObject json) {
    String key = json.has("rope_type") ? "rope_type" : "type";
    String type = json.optionalText(key).orElse("default");
    return switch (type) {
      case "default" -> Optional.empty();
      case Llama3Scaling.TYPE -> Optional.of(Llama3Scaling.of(json));
      default -> throw json.error("rope type %s is not supported; expected \"default\" or \"llama3\"".formatted(
          FileErrors.quoted(type)));
    };
  }

  private static void requireFullRotation(JsonObject json) {
    if (json.number(PARTIAL, 1) != 1) {
      throw json.wrong(PARTIAL, "1 (all of a head turns)");
    }
  }

  void write(ObjectNode config) {
    if (scaling.isPresent()) {
      scaling.get().write(config.putObject(SCALING));
    } else {
      config.putNull(SCALING);
    }
    config.put(THETA, theta);
  }

  /**
   * The angle per position of each pair, in float32 as the reference computes them: {@code theta^(-2i/headDim)}, then
   * scaled (transformers, {@code modeling_rope_utils.py}).
   *
   * @param headDim elements of a head, even
   * @return {@code headDim / 2} values, falling
   */
  public float[] inverseFrequencies(int headDim) {
    float[] frequencies = new float[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      float plain = 1f / (float) Math.pow(theta, 2f * i / headDim);
      frequencies[i] = scaling.isPresent() ? scaling.get().scale(plain) : plain;
    }
    return frequencies;
  }
}
