package dev.jqlora.bench;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;

/** A decoder layer of ours, which a peer finds under the names of {@link Task.Layer} and no longer quantized. */
record LayerRun(ModelLayout layout, ProgramRun program) implements Contender, Peer.Inputs {
  static final String HIDDEN = "hidden";
  /** The gradient that flows into the layer's output. */
  static final String GRADIENT = "dhidden";

  /** The state of an adapter's gradient, by the name that {@link Task.Layer} gives it. */
  static String gradient(Projection projection, boolean first) {
    return projection.title() + (first ? ".A" : ".B");
  }

  @Override
  public void run() {
    program.run();
  }

  @Override
  public Map<String, Tensor> results() {
    return program.results();
  }

  @Override
  public void close() {
    program.close();
  }

  @Override
  public Tensor get(String name, Arena arena) {
    for (Projection projection : Projection.values()) {
      if (name.equals(projection.title())) {
        return dequantized(projection, arena);
      }
      if (name.equals(gradient(projection, true))) {
        return program.get(LoraSpec.stateA(projection), arena);
      }
      if (name.equals(gradient(projection, false))) {
        return program.get(LoraSpec.stateB(projection), arena);
      }
    }
    return program.get(switch (name) {
      case "x" -> ModelLayout.EMBED_TOKENS;
      case "input_layernorm" -> ModelLayout.INPUT_LAYERNORM;
      case "post_attention_layernorm" -> ModelLayout.POST_ATTENTION_LAYERNORM;
      case "norm" -> ModelLayout.NORM;
      case "cos" -> ModelLayout.ROPE_COS;
      case "sin" -> ModelLayout.ROPE_SIN;
      default -> name;
    }, arena);
  }

  private Tensor dequantized(Projection projection, Arena arena) {
    List<MemorySegment> parts = layout.states(projection).stream().map(state -> program.get(state, arena).data())
        .toList();
    int out = projection.out(layout.config());
    int in = projection.in(layout.config());
    float[] map = new float[DynamicMap.SIZE];
    MemorySegment.ofArray(map).copyFrom(parts.get(2));
    Absmax absmax = new Absmax.Nested(parts.get(1), DynamicMap.of(map), parts.get(3),
        parts.get(4).get(Absmax.F32, 0));
    Nf4Tensor weight = new Nf4Tensor(Shape.of(out, in), Nf4.DEFAULT_BLOCK_SIZE, parts.getFirst(), absmax);
    Tensor values = Tensor.allocate(arena, TensorType.f32(out, in));
    float[] row = new float[in];
    for (int i = 0; i < out; i++) {
      weight.dequantize((long) i * in, row, 0, in);
      MemorySegment.copy(MemorySegment.ofArray(row), 0, values.data(), (long) i * in * Float.BYTES,
          (long) in * Float.BYTES);
    }
    return values;
  }
}
