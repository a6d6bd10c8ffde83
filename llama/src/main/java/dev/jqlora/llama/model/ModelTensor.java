package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A tensor of a checkpoint, and where it lies in a session.
 *
 * @param name in the checkpoint
 * @param state that holds it where it is not quantized
 * @param layer its slice of the state; 0 for a state that is not stacked
 * @param projection whose weight it is; empty for norms, embedding table and head
 */
record ModelTensor(String name, Shape shape, String state, int layer, Optional<Projection> projection) {
  /** All tensors of a model, in the order of the reference model's modules. */
  static List<ModelTensor> of(LlamaConfig config) {
    List<ModelTensor> tensors = new ArrayList<>();
    tensors.add(embedTokens(config));
    for (int layer = 0; layer < config.layers(); layer++) {
      tensors.addAll(ofLayer(config, layer));
    }
    tensors.add(norm(config));
    if (!config.tiedEmbeddings()) {
      tensors.add(head(config));
    }
    return tensors;
  }

  static ModelTensor embedTokens(LlamaConfig config) {
    return outer("model.embed_tokens.weight", table(config), ModelLayout.EMBED_TOKENS);
  }

  static ModelTensor norm(LlamaConfig config) {
    return outer("model.norm.weight", Shape.of(config.hiddenSize()), ModelLayout.NORM);
  }

  /** The matrix of the output head: the embedding table where they are tied. */
  static ModelTensor head(LlamaConfig config) {
    return config.tiedEmbeddings()
        ? embedTokens(config)
        : outer("lm_head.weight", table(config), ModelLayout.LM_HEAD);
  }

  static List<ModelTensor> ofLayer(LlamaConfig config, int layer) {
    List<ModelTensor> tensors = new ArrayList<>();
    for (Projection projection : Projection.values()) {
      tensors.add(of(config, projection, layer));
    }
    Shape width = Shape.of(config.hiddenSize());
    String prefix = "model.layers." + layer + ".";
    tensors.add(new ModelTensor(prefix + "input_layernorm.weight", width, ModelLayout.INPUT_LAYERNORM, layer,
        Optional.empty()));
    tensors.add(new ModelTensor(prefix + "post_attention_layernorm.weight", width,
        ModelLayout.POST_ATTENTION_LAYERNORM, layer, Optional.empty()));
    return tensors;
  }

  static ModelTensor of(LlamaConfig config, Projection projection, int layer) {
    return new ModelTensor(projection.path(layer) + ".weight", projection.shape(config),
        ModelLayout.state(projection), layer, Optional.of(projection));
  }

  private static ModelTensor outer(String name, Shape shape, String state) {
    return new ModelTensor(name, shape, state, 0, Optional.empty());
  }

  private static Shape table(LlamaConfig config) {
    return Shape.of(config.vocabSize(), config.hiddenSize());
  }

  boolean isNorm() {
    return shape.rank() == 1;
  }
}
