package dev.jqlora.training.config;

import dev.jqlora.llama.model.Quantization;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The base model and how it is held.
 *
 * @param modelNameOrPath the base model's folder, or its name on the hub, as it was written
 * @param revision of a model on the hub
 * @param cacheDir of models from the hub, or null for the hub's own
 * @param hubToken for gated models, or null for the environment's
 * @param adapter the folder of the adapter to continue or to use, if any
 * @param quantization what is quantized to NF4 while loading
 * @param gradientCheckpointing whether the backward pass computes each layer's values again
 * @param roundedCarries whether what it computes again starts from values that were kept in bfloat16
 * @param activations what the layers store theirs as in training
 */
public record ModelArguments(String modelNameOrPath, String revision, @Nullable Path cacheDir,
    @Nullable String hubToken, @Nullable Path adapter, Quantization quantization, boolean gradientCheckpointing,
    boolean roundedCarries, Activations activations) {
  /** What the values between the ops of a layer are stored as. */
  public enum Activations {
    FLOAT32("float32"), BFLOAT16("bfloat16"),
    /** As the backend rounds the factors of matrix products. */
    AS_PRODUCTS("auto with bf16: true");

    private final String setting;

    Activations(String setting) {
      this.setting = setting;
    }

    /** How the configuration says it. */
    @Override
    public String toString() {
      return setting;
    }
  }

  static ModelArguments of(Values values) {
    String model = values.orNull(Keys.MODEL_NAME_OR_PATH);
    if (model == null || model.isBlank()) {
      throw values.error(Keys.MODEL_NAME_OR_PATH, "required: the folder of the base model");
    }
    boolean checkpointing = !values.get(Keys.DISABLE_GRADIENT_CHECKPOINTING);
    String cacheDir = values.orNull(Keys.CACHE_DIR);
    return new ModelArguments(model, values.get(Keys.MODEL_REVISION), cacheDir == null ? null : Path.of(cacheDir),
        values.orNull(Keys.HF_HUB_TOKEN), adapter(values),
        new Quantization(values.isGiven(Keys.QUANTIZATION_BIT), values.get(Keys.QUANTIZE_HEAD),
            values.get(Keys.DOUBLE_QUANTIZATION)),
        checkpointing, checkpointing && rounded(values), activations(values));
  }

  private static boolean rounded(Values values) {
    return switch (values.get(Keys.CARRY_DTYPE)) {
      case "bfloat16" -> true;
      case "float32" -> false;
      default -> values.get(Keys.BF16);
    };
  }

  private static Activations activations(Values values) {
    return switch (values.get(Keys.ACTIVATION_DTYPE)) {
      case "bfloat16" -> Activations.BFLOAT16;
      case "float32" -> Activations.FLOAT32;
      default -> values.get(Keys.BF16) ? Activations.AS_PRODUCTS : Activations.FLOAT32;
    };
  }

  private static @Nullable Path adapter(Values values) {
    var adapters = values.orNull(Keys.ADAPTER_NAME_OR_PATH);
    if (adapters == null) {
      return null;
    }
    if (adapters.size() > 1) {
      throw values.error(Keys.ADAPTER_NAME_OR_PATH,
          "expected one adapter, got " + adapters.size() + "; several are never merged here");
    }
    Path folder = Path.of(adapters.getFirst());
    String subfolder = values.orNull(Keys.ADAPTER_FOLDER);
    return subfolder == null ? folder : folder.resolve(subfolder);
  }

  /** Whether the linear layers are quantized while loading. */
  public boolean quantized() {
    return quantization.projections();
  }

  /** Never shows the token. */
  @Override
  public String toString() {
    return "ModelArguments[" + modelNameOrPath + "]";
  }
}
