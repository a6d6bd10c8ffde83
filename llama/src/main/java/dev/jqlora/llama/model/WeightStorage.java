package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.llama.checkpoint.PrequantizedWeight;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.safetensors.StoredTensor;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/** How a model's weights are stored, from which follows how they will lie in memory. */
sealed interface WeightStorage {
  boolean isQuantized(ModelTensor tensor);

  /** Of a tensor that is quantized. */
  WeightFormat.Nf4 quantized(ModelTensor tensor);

  /** Of a tensor that is not quantized. */
  DType dtype(ModelTensor tensor);

  /** How the model will lie in memory. */
  default ModelLayout layout(LlamaConfig config, ModelLoader.Options options, Optional<LoraSpec> lora) {
    Map<Projection, WeightFormat> formats = new EnumMap<>(Projection.class);
    for (Projection projection : Projection.values()) {
      formats.put(projection, format(config, projection, options));
    }
    DType table = options.float32() ? DType.F32 : dtype(ModelTensor.embedTokens(config));
    return new ModelLayout(config, formats, table, options.float32(), headFormat(config, options),
        options.positions(), lora);
  }

  /**
   * A projection is NF4 where it is stored so in every layer, or where it is to be quantized and is stored so in none.
   * One that only some layers have quantized is held in F32, since all layers of a kind are stacked.
   */
  private WeightFormat format(LlamaConfig config, Projection projection, ModelLoader.Options options) {
    int quantized = 0;
    for (int layer = 0; layer < config.layers(); layer++) {
      ModelTensor tensor = ModelTensor.of(config, projection, layer);
      if (isQuantized(tensor)) {
        quantized++;
      } else {
        // Of each layer, since one in a type that is not known would fail only when it is loaded.
        dtype(tensor);
      }
    }
    if (options.float32() || quantized > 0 && quantized < config.layers()) {
      return new WeightFormat.Plain(DType.F32);
    }
    return format(ModelTensor.of(config, projection, 0), options.quantization().projections(), options);
  }

  private WeightFormat headFormat(LlamaConfig config, ModelLoader.Options options) {
    return options.float32()
        ? new WeightFormat.Plain(DType.F32)
        : format(ModelTensor.head(config), options.quantization().head(), options);
  }

  private WeightFormat format(ModelTensor tensor, boolean quantizes, ModelLoader.Options options) {
    if (isQuantized(tensor)) {
      return quantized(tensor);
    }
    DType dtype = dtype(tensor);
    return quantizes
        ? new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, options.quantization().nested(), Optional.of(dtype))
        : new WeightFormat.Plain(dtype);
  }

  /** As the configuration says, and in BF16 where that says nothing. */
  record Declared(LlamaConfig config) implements WeightStorage {
    @Override
    public boolean isQuantized(ModelTensor tensor) {
      return tensor.projection().isPresent() && config.quantization().isPresent();
    }

    @Override
    public WeightFormat.Nf4 quantized(ModelTensor tensor) {
      return new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, config.quantization().orElseThrow().doubleQuantization(),
          Optional.empty());
    }

    @Override
    public DType dtype(ModelTensor tensor) {
      return config.dtype().orElse(DType.BF16);
    }
  }

  /** As the files have it. */
  record Files(Checkpoint checkpoint) implements WeightStorage {
    @Override
    public boolean isQuantized(ModelTensor tensor) {
      return PrequantizedWeight.isQuantized(checkpoint, tensor.name());
    }

    @Override
    public WeightFormat.Nf4 quantized(ModelTensor tensor) {
      Nf4Tensor stored = PrequantizedWeight.read(checkpoint, tensor.name(), tensor.shape());
      return new WeightFormat.Nf4(stored.blockSize(), stored.absmax() instanceof Absmax.Nested, Optional.empty());
    }

    /** An error where the tensor is stored in a way that is not known. */
    @Override
    public DType dtype(ModelTensor tensor) {
      StoredTensor stored = checkpoint.stored(tensor.name());
      return stored.type().dtype().filter(DType::isFloat).orElseThrow(() -> stored.error(
          "is %s; expected F32, F16 or BF16, or NF4 as bitsandbytes saves it".formatted(stored.info())));
    }
  }
}
