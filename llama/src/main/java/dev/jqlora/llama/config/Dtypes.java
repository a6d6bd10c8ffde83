package dev.jqlora.llama.config;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.files.JsonObject;
import java.util.Optional;

/** The names of float types in Hugging Face files. */
public final class Dtypes {
  private Dtypes() {}

  static Optional<DType> read(JsonObject json, String key) {
    return json.optionalText(key).map(name -> switch (name) {
      case "float32" -> DType.F32;
      case "float16" -> DType.F16;
      case "bfloat16" -> DType.BF16;
      default -> throw json.wrong(key, "\"float32\", \"float16\" or \"bfloat16\"");
    });
  }

  public static String name(DType dtype) {
    return switch (dtype) {
      case F32 -> "float32";
      case F16 -> "float16";
      case BF16 -> "bfloat16";
      case I32, U8 -> throw new IllegalArgumentException(dtype + " is no float type");
    };
  }
}
