package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of a checkpoint that is not quantized, and where it lies in a session.
 *
 * @param name in the checkpoint
 * @param state that holds it
 * @param layer its slice of the state; 0 for a state that is not stacked
 */
record ModelTensor(String name, Shape shape, String state, int layer) {
  /** All tensors of a model, in the order of the reference model's modules. */
  static List<ModelTensor> of(LlamaConfig config) {
    List<ModelTensor> tensors = new ArrayList<>();
    Shape table = Shape.of(config.vocabSize(), config.hiddenSize());
    Shape width = Shape.of(config.hiddenSize());
    tensors.add(new ModelTensor("model.embed_tokens.weight", table, ModelLayout.EMBED_TOKENS, 0));
    for (int layer = 0; layer < config.layers(); layer++) {
      for (Projection projection : Projection.values()) {
        tensors.add(new ModelTensor(projection.path(layer) + ".weight",
            Shape.of(projection.out(config), projection.in(config)), "layers." + projection.title(), layer));
      }
      String prefix = "model.layers." + layer + ".";
      tensors.add(
          new ModelTensor(prefix + "input_layernorm.weight", width, ModelLayout.INPUT_LAYERNORM, layer));
      tensors.add(new ModelTensor(prefix + "post_attention_layernorm.weight", width,
          ModelLayout.POST_ATTENTION_LAYERNORM, layer));
    }
    tensors.add(new ModelTensor("model.norm.weight", width, ModelLayout.NORM, 0));
    if (!config.tiedEmbeddings()) {
      tensors.add(new ModelTensor("lm_head.weight", table, ModelLayout.LM_HEAD, 0));
    }
    return tensors;
  }

  boolean isNorm() {
    return shape.rank() == 1;
  }

  /** Whether it is one of the matrices that quantization is for: any but embedding table and head. */
  boolean isProjection() {
    return !isNorm() && state.startsWith("layers.");
  }
}
