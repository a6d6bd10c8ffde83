package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.Arrays;
import java.util.Optional;

/** The linear layers of a decoder layer, in the order of the reference model; their weights are {@code [out, in]}. */
public enum Projection {
  Q_PROJ("self_attn", "q_proj"), K_PROJ("self_attn", "k_proj"), V_PROJ("self_attn", "v_proj"), O_PROJ("self_attn",
      "o_proj"), GATE_PROJ("mlp", "gate_proj"), UP_PROJ("mlp", "up_proj"), DOWN_PROJ("mlp", "down_proj");

  private final String block;
  private final String title;

  Projection(String block, String title) {
    this.block = block;
    this.title = title;
  }

  /** The module's own name, such as {@code q_proj}. */
  public String title() {
    return title;
  }

  public static Optional<Projection> named(String title) {
    return Arrays.stream(values()).filter(projection -> projection.title.equals(title)).findFirst();
  }

  /** The module's path in a checkpoint, such as {@code model.layers.3.self_attn.q_proj}. */
  public String path(int layer) {
    return "model.layers." + layer + "." + block + "." + title;
  }

  /** Of the weight. */
  public Shape shape(LlamaConfig config) {
    return Shape.of(out(config), in(config));
  }

  public int out(LlamaConfig config) {
    return switch (this) {
      case Q_PROJ -> config.queryWidth();
      case K_PROJ, V_PROJ -> config.kvWidth();
      case O_PROJ, DOWN_PROJ -> config.hiddenSize();
      case GATE_PROJ, UP_PROJ -> config.intermediateSize();
    };
  }

  public int in(LlamaConfig config) {
    return switch (this) {
      case Q_PROJ, K_PROJ, V_PROJ, GATE_PROJ, UP_PROJ -> config.hiddenSize();
      case O_PROJ -> config.queryWidth();
      case DOWN_PROJ -> config.intermediateSize();
    };
  }
}
