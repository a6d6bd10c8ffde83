package dev.jqlora.llama.model;

import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * The states that hold a model: their names and types. All decoder layers' weights of one kind are stacked in one state
 * {@code [layers, ...]}, whose name begins with {@code layers.}.
 *
 * @param formats how each projection is stored
 * @param tableDtype of the embedding table
 * @param headDtype of the output head; not used where it is tied to the embedding table
 * @param positions rows of the rotary tables: the longest sequence of the run
 */
public record ModelLayout(LlamaConfig config, Map<Projection, WeightFormat> formats, DType tableDtype, DType headDtype,
    int positions, Optional<LoraSpec> lora) {
  public static final String EMBED_TOKENS = "embed_tokens";
  public static final String NORM = "norm";
  public static final String LM_HEAD = "lm_head";
  public static final String INPUT_LAYERNORM = "layers.input_layernorm";
  public static final String POST_ATTENTION_LAYERNORM = "layers.post_attention_layernorm";
  public static final String ROPE_COS = "rope.cos";
  public static final String ROPE_SIN = "rope.sin";

  private static final List<String> NESTED_PARTS = List.of("codes", "absmax", "absmax_map", "nested_absmax",
      "absmax_offset");
  private static final List<String> PLAIN_PARTS = List.of("codes", "absmax");

  public ModelLayout {
    formats = Map.copyOf(formats);
  }

  public WeightFormat format(Projection projection) {
    return Objects.requireNonNull(formats.get(projection));
  }

  public Nf4Weight nf4(Projection projection, WeightFormat.Nf4 format) {
    return new Nf4Weight(projection.out(config), projection.in(config), format.blockSize(), format.nested());
  }

  /** The states of a projection's weight: one, or those of {@link Nf4Weight} in its order. */
  public List<String> states(Projection projection) {
    String name = "layers." + projection.title();
    return switch (format(projection)) {
      case WeightFormat.Plain _ -> List.of(name);
      case WeightFormat.Nf4(_, boolean nested) ->
        (nested ? NESTED_PARTS : PLAIN_PARTS).stream().map(part -> name + "." + part).toList();
    };
  }

  /** The state that is the output head. */
  public String head() {
    return config.tiedEmbeddings() ? EMBED_TOKENS : LM_HEAD;
  }

  /** Every state of the model that lies outside the layers, adapters not included. */
  public SequencedMap<String, TensorType> outerStates() {
    SequencedMap<String, TensorType> states = new LinkedHashMap<>();
    TensorType table = new TensorType(tableDtype, Shape.of(config.vocabSize(), config.hiddenSize()));
    states.put(EMBED_TOKENS, table);
    states.put(NORM, TensorType.f32(config.hiddenSize()));
    if (!config.tiedEmbeddings()) {
      states.put(LM_HEAD, new TensorType(headDtype, table.shape()));
    }
    states.put(ROPE_COS, TensorType.f32(positions, config.headDim() / 2));
    states.put(ROPE_SIN, TensorType.f32(positions, config.headDim() / 2));
    return states;
  }

  /** Every stacked state of the decoder layers, adapters not included. */
  public SequencedMap<String, TensorType> layerStates() {
    SequencedMap<String, TensorType> states = new LinkedHashMap<>();
    states.put(INPUT_LAYERNORM, TensorType.f32(config.layers(), config.hiddenSize()));
    states.put(POST_ATTENTION_LAYERNORM, TensorType.f32(config.layers(), config.hiddenSize()));
    for (Projection projection : Projection.values()) {
      List<String> names = states(projection);
      List<TensorType> types = switch (format(projection)) {
        case WeightFormat.Plain(DType dtype) -> List.of(new TensorType(dtype,
            Shape.of(projection.out(config), projection.in(config))));
        case WeightFormat.Nf4 format -> nf4(projection, format).types();
      };
      for (int i = 0; i < names.size(); i++) {
        states.put(names.get(i), types.get(i).withShape(types.get(i).shape().stacked(config.layers())));
      }
    }
    return states;
  }

  /** The stacked states of the adapters. */
  public SequencedMap<String, TensorType> adapterStates() {
    SequencedMap<String, TensorType> states = new LinkedHashMap<>();
    lora.ifPresent(spec -> spec.ranks().forEach((projection, rank) -> {
      states.put(LoraSpec.stateA(projection), TensorType.f32(config.layers(), rank, projection.in(config)));
      states.put(LoraSpec.stateB(projection), TensorType.f32(config.layers(), projection.out(config), rank));
    }));
    return states;
  }

  public ModelLayout withLora(Optional<LoraSpec> adapters) {
    return new ModelLayout(config, formats, tableDtype, headDtype, positions, adapters);
  }
}
