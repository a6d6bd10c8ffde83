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
 * @param tableTrained whether the embedding table is trained, as it is where all of the model is
 * @param head how the output head is stored; where it is plain and the model ties it, it is the embedding table
 * @param positions rows of the rotary tables: the longest sequence of the run
 */
public record ModelLayout(LlamaConfig config, Map<Projection, WeightFormat> formats, DType tableDtype,
    boolean tableTrained, WeightFormat head, int positions, Optional<LoraSpec> lora) {
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

  public Nf4Weight nf4Head(WeightFormat.Nf4 format) {
    return new Nf4Weight(config.vocabSize(), config.hiddenSize(), format.blockSize(), format.nested());
  }

  /** The states of a projection's weight: one, or those of {@link Nf4Weight} in its order. */
  public List<String> states(Projection projection) {
    return states(state(projection), format(projection));
  }

  /** The state of a projection's weight where it is plain, and what the names of its states begin with where it is not. */
  static String state(Projection projection) {
    return "layers." + projection.title();
  }

  private static List<String> states(String name, WeightFormat format) {
    return switch (format) {
      case WeightFormat.Plain _ -> List.of(name);
      case WeightFormat.Nf4(_, boolean nested, _) ->
        (nested ? NESTED_PARTS : PLAIN_PARTS).stream().map(part -> name + "." + part).toList();
    };
  }

  private static List<TensorType> types(int out, int in, WeightFormat format) {
    return switch (format) {
      case WeightFormat.Plain(DType dtype) -> List.of(new TensorType(dtype, Shape.of(out, in)));
      case WeightFormat.Nf4(int blockSize, boolean nested, _) -> new Nf4Weight(out, in, blockSize, nested).types();
    };
  }

  /** Whether the output head is the embedding table itself. */
  public boolean headIsTable() {
    return config.tiedEmbeddings() && head instanceof WeightFormat.Plain;
  }

  /**
   * Whether the embedding table stays in the host's memory, so that only the rows of a run's tokens travel. It must lie
   * in the session only where it is trained or multiplied with.
   */
  public boolean tableOnHost() {
    return !tableTrained && !headIsTable();
  }

  /** The states of the output head's weight: one, or those of {@link Nf4Weight} in its order. */
  public List<String> headStates() {
    return headIsTable() ? List.of(EMBED_TOKENS) : states(LM_HEAD, head);
  }

  /** Every state of the model that lies outside the layers, adapters not included. */
  public SequencedMap<String, TensorType> outerStates() {
    SequencedMap<String, TensorType> states = new LinkedHashMap<>();
    int vocab = config.vocabSize();
    int width = config.hiddenSize();
    if (!tableOnHost()) {
      states.put(EMBED_TOKENS, new TensorType(tableDtype, Shape.of(vocab, width)));
    }
    states.put(NORM, TensorType.f32(width));
    if (!headIsTable()) {
      put(states, headStates(), types(vocab, width, head));
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
      put(states, states(projection), types(projection.out(config), projection.in(config), format(projection)).stream()
          .map(type -> type.withShape(type.shape().stacked(config.layers()))).toList());
    }
    return states;
  }

  private static void put(SequencedMap<String, TensorType> states, List<String> names, List<TensorType> types) {
    for (int i = 0; i < names.size(); i++) {
      states.put(names.get(i), types.get(i));
    }
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

  public ModelLayout withFormats(Map<Projection, WeightFormat> others) {
    return new ModelLayout(config, others, tableDtype, tableTrained, head, positions, lora);
  }

  public ModelLayout withHead(WeightFormat other) {
    return new ModelLayout(config, formats, tableDtype, tableTrained, other, positions, lora);
  }

  public ModelLayout withPositions(int longest) {
    return new ModelLayout(config, formats, tableDtype, tableTrained, head, longest, lora);
  }

  public ModelLayout withLora(Optional<LoraSpec> adapters) {
    return new ModelLayout(config, formats, tableDtype, tableTrained, head, positions, adapters);
  }
}
