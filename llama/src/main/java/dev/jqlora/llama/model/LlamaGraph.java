package dev.jqlora.llama.model;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.CacheWrite;
import dev.jqlora.engine.op.CachedAttention;
import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.op.Dropout;
import dev.jqlora.engine.op.Embedding;
import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4LinearArgMax;
import dev.jqlora.engine.op.Nf4LinearCrossEntropy;
import dev.jqlora.engine.op.RmsNorm;
import dev.jqlora.engine.op.Rope;
import dev.jqlora.engine.op.SwiGlu;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Builds the forward graph of a Llama within a program. Tokens are one run of n that holds one or more sequences, each
 * token with its position and the first token it may attend to, so nothing is padded.
 *
 * <pre>
 * x = embed_tokens[tokens]
 * for each layer:  x += o_proj(attention(rope(q_proj(h)), rope(k_proj(h)), v_proj(h))),  h = rms_norm(x)
 *                  x += down_proj(silu(gate_proj(h)) · up_proj(h)),                      h = rms_norm(x)
 * hidden = rms_norm(x)
 * </pre>
 */
public final class LlamaGraph {
  /** Feed, where the embedding table is a state: token ids, I32 {@code [n]}. */
  public static final String TOKENS = "tokens";
  /** Feed, where the table is on the host: the tokens' rows of it, in its element type, {@code [n, hiddenSize]}. */
  public static final String EMBEDDINGS = "embeddings";
  /** Feed: each token's position in its sequence, I32 {@code [n]}. */
  public static final String POSITIONS = "positions";
  /** Feed: for each token the index of the first token of its sequence, I32 {@code [n]}. */
  public static final String START = "start";
  /** Feed of training with dropout: I32 scalar, another for each micro-batch. */
  public static final String SEED = "seed";
  /** Feed of generation: the cache row of the first token, I32 scalar. */
  public static final String CACHE_POSITION = "cache_position";
  /** State of generation: keys of all layers, F32 {@code [layers, capacity, kvHeads · headDim]}. */
  public static final String KEY_CACHE = "cache.keys";
  /** State of generation: values, likewise. */
  public static final String VALUE_CACHE = "cache.values";

  private final ModelLayout layout;
  private final LlamaConfig config;
  private final Program.Builder program;
  private final SequencedMap<String, Value> states = new LinkedHashMap<>();

  /** Declares the model's states, and those of its adapters, in a program. */
  public LlamaGraph(ModelLayout layout, Program.Builder program) {
    this.layout = layout;
    this.config = layout.config();
    this.program = program;
    layout.outerStates().forEach(this::declare);
    layout.layerStates().forEach(this::declare);
    layout.adapterStates().forEach(this::declare);
  }

  private void declare(String name, TensorType type) {
    states.put(name, program.state(name, type));
  }

  /** The declared states by name. */
  public Value state(String name) {
    return Objects.requireNonNull(states.get(name), name);
  }

  /** The logits after some hidden states, F32 {@code [n, vocabulary]}. */
  public Value logits(Value hidden) {
    return switch (layout.head()) {
      case WeightFormat.Plain _ -> program.graph().apply(MatMul.NT, hidden, head().getFirst());
      case WeightFormat.Nf4 format -> program.graph().applyAll(new Nf4Linear(layout.nf4Head(format)), withHead(hidden))
          .getFirst();
    };
  }

  /**
   * The outputs of {@link LinearCrossEntropy} for some hidden states and their labels, I32 {@code [n]}.
   *
   * @throws IllegalArgumentException where the gradient of a quantized weight is wanted
   */
  public List<Value> crossEntropy(Value hidden, Value labels, boolean inputGradient, boolean weightGradient) {
    return switch (layout.head()) {
      case WeightFormat.Plain _ -> program.graph().applyAll(new LinearCrossEntropy(inputGradient, weightGradient),
          List.of(hidden, head().getFirst(), labels));
      case WeightFormat.Nf4 format -> {
        if (weightGradient) {
          throw new IllegalArgumentException("a quantized head has no gradient");
        }
        List<Value> arguments = withHead(hidden);
        arguments.add(labels);
        yield program.graph().applyAll(new Nf4LinearCrossEntropy(layout.nf4Head(format), inputGradient), arguments);
      }
    };
  }

  /** The most likely ids after some hidden states, I32 {@code [n]}. */
  public Value likeliest(Value hidden) {
    return switch (layout.head()) {
      case WeightFormat.Plain _ -> program.graph().apply(new LinearArgMax(), hidden, head().getFirst());
      case WeightFormat.Nf4 format -> program.graph().applyAll(new Nf4LinearArgMax(layout.nf4Head(format)),
          withHead(hidden)).getFirst();
    };
  }

  private List<Value> head() {
    return layout.headStates().stream().map(this::state).toList();
  }

  private List<Value> withHead(Value hidden) {
    List<Value> arguments = new ArrayList<>(List.of(hidden));
    arguments.addAll(head());
    return arguments;
  }

  /**
   * The hidden states before the head, F32 {@code [n, hiddenSize]}, for training and scoring.
   *
   * @param n tokens
   * @param training whether adapters drop elements of their input; then {@link #SEED} is fed
   * @param save what the backward pass finds saved
   * @param activations what is stored between the ops of a layer as, F32 or BF16; what the layers hand on stays F32
   */
  public Value hidden(int n, boolean training, SavePolicy save, DType activations) {
    GraphBuilder builder = program.graph();
    Map<String, Value> shared = new LinkedHashMap<>();
    shared.put(POSITIONS, program.feed(POSITIONS, TensorType.i32(n)));
    shared.put(START, program.feed(START, TensorType.i32(n)));
    boolean dropout = training && layout.lora().map(lora -> lora.dropout() > 0).orElse(false);
    if (dropout) {
      shared.put(SEED, program.feed(SEED, TensorType.i32()));
    }
    CausalAttention attention = new CausalAttention(config.heads(), config.kvHeads(), config.headDim());
    Layer layer = (b, index, x, weights) -> new Repeat.Result(
        List.of(block(b, index, x, weights, activations, (q, k, v) -> b.applyAll(attention,
            List.of(q, k, v, weights.get(START))).getFirst())),
        List.of());
    return normalized(layers(builder, embedded(n), layerStates(), shared, save, layer).getFirst());
  }

  /**
   * The hidden states of n new tokens of one sequence, F32 {@code [n, hiddenSize]}; writes their keys and values to the
   * cache, of {@code capacity} rows.
   */
  public Value cachedHidden(int n, int capacity) {
    GraphBuilder builder = program.graph();
    Map<String, Value> shared = new LinkedHashMap<>();
    shared.put(POSITIONS, program.feed(POSITIONS, TensorType.i32(n)));
    shared.put(CACHE_POSITION, program.feed(CACHE_POSITION, TensorType.i32()));
    SequencedMap<String, Value> stacked = new LinkedHashMap<>(layerStates());
    cacheStates(config, capacity).forEach((name, type) -> stacked.put(name, program.state(name, type)));
    CachedAttention attention = new CachedAttention(config.heads(), config.kvHeads(), config.headDim());
    Layer layer = (b, index, x, weights) -> {
      List<Value> caches = new ArrayList<>();
      Value next = block(b, index, x, weights, DType.F32, (q, k, v) -> {
        Value position = weights.get(CACHE_POSITION);
        caches.add(b.apply(new CacheWrite(), weights.get(KEY_CACHE), k, position));
        caches.add(b.apply(new CacheWrite(), weights.get(VALUE_CACHE), v, position));
        return b.apply(attention, q, caches.get(0), caches.get(1), weights.get(POSITIONS));
      });
      return new Repeat.Result(List.of(next), caches);
    };
    List<Value> outputs = layers(builder, embedded(n), stacked, shared, SavePolicy.NOTHING, layer);
    program.write(KEY_CACHE, outputs.get(1));
    program.write(VALUE_CACHE, outputs.get(2));
    return normalized(outputs.getFirst());
  }

  /** The states of a cache of {@code capacity} tokens. */
  public static SequencedMap<String, TensorType> cacheStates(LlamaConfig config, int capacity) {
    SequencedMap<String, TensorType> caches = new LinkedHashMap<>();
    caches.put(KEY_CACHE, TensorType.f32(config.layers(), capacity, config.kvWidth()));
    caches.put(VALUE_CACHE, TensorType.f32(config.layers(), capacity, config.kvWidth()));
    return caches;
  }

  private Value embedded(int n) {
    GraphBuilder builder = program.graph();
    return builder.scope("embed", () -> {
      if (!layout.tableOnHost()) {
        return builder.apply(new Embedding(), state(ModelLayout.EMBED_TOKENS), program.feed(TOKENS, TensorType.i32(n)));
      }
      Value rows = program.feed(EMBEDDINGS, new TensorType(layout.tableDtype(), Shape.of(n, config.hiddenSize())));
      return layout.tableDtype() == DType.F32 ? rows : builder.apply(new Cast(DType.F32), rows);
    });
  }

  private Value normalized(Value x) {
    GraphBuilder builder = program.graph();
    return builder.scope("norm", () -> builder.apply(rmsNorm(DType.F32), x, state(ModelLayout.NORM)));
  }

  private RmsNorm rmsNorm(DType result) {
    return new RmsNorm((float) config.rmsNormEps(), result);
  }

  private SequencedMap<String, Value> layerStates() {
    SequencedMap<String, Value> stacked = new LinkedHashMap<>();
    layout.layerStates().keySet().forEach(name -> stacked.put(name, state(name)));
    layout.adapterStates().keySet().forEach(name -> stacked.put(name, state(name)));
    return stacked;
  }

  /** What a layer reads, by name: its slices of the stacked states, and the values that all layers share. */
  private record Weights(Map<String, Value> values) {
    Value get(String name) {
      return Objects.requireNonNull(values.get(name), name);
    }

    Optional<Value> find(String name) {
      return Optional.ofNullable(values.get(name));
    }
  }

  /** One decoder layer as the body of a Repeat. */
  @FunctionalInterface
  private interface Layer {
    Repeat.Result build(GraphBuilder builder, Value index, Value x, Weights weights);
  }

  private List<Value> layers(GraphBuilder builder, Value x, SequencedMap<String, Value> stacked,
      Map<String, Value> inputs, SavePolicy save, Layer layer) {
    Map<String, Value> shared = new LinkedHashMap<>(inputs);
    shared.put(ModelLayout.ROPE_COS, state(ModelLayout.ROPE_COS));
    shared.put(ModelLayout.ROPE_SIN, state(ModelLayout.ROPE_SIN));
    List<String> stackedNames = List.copyOf(stacked.keySet());
    List<String> sharedNames = List.copyOf(shared.keySet());
    return builder.scope("layers",
        () -> Repeat.apply(builder, config.layers(), save, List.of(x), List.copyOf(stacked.values()),
            List.copyOf(shared.values()), (b, index, carried, slices, sharedValues) -> {
              Map<String, Value> values = new HashMap<>();
              for (int i = 0; i < slices.size(); i++) {
                values.put(stackedNames.get(i), slices.get(i));
              }
              for (int i = 0; i < sharedValues.size(); i++) {
                values.put(sharedNames.get(i), sharedValues.get(i));
              }
              return layer.build(b, index, carried.getFirst(), new Weights(values));
            }));
  }

  @FunctionalInterface
  private interface Attention {
    Value apply(Value q, Value k, Value v);
  }

  /** All that follows a norm is stored as the norm's result is, up to the sum with x. */
  private Value block(GraphBuilder b, Value index, Value x, Weights weights, DType activations, Attention attention) {
    Linear linear = new Linear(b, index, weights);
    Value afterAttention = b.scope("attn", () -> {
      Value h = b.apply(rmsNorm(activations), x, weights.get(ModelLayout.INPUT_LAYERNORM));
      Value q = rope(b, linear.apply(Projection.Q_PROJ, h), weights);
      Value k = rope(b, linear.apply(Projection.K_PROJ, h), weights);
      Value v = linear.apply(Projection.V_PROJ, h);
      return b.apply(new Add(), x, linear.apply(Projection.O_PROJ, attention.apply(q, k, v)));
    });
    return b.scope("mlp", () -> {
      Value h = b.apply(rmsNorm(activations), afterAttention, weights.get(ModelLayout.POST_ATTENTION_LAYERNORM));
      Value gate = linear.apply(Projection.GATE_PROJ, h);
      Value up = linear.apply(Projection.UP_PROJ, h);
      Value down = linear.apply(Projection.DOWN_PROJ, b.apply(new SwiGlu(), gate, up));
      return b.apply(new Add(), afterAttention, down);
    });
  }

  private Value rope(GraphBuilder b, Value x, Weights weights) {
    return b.apply(new Rope(config.headDim(), false), x, weights.get(POSITIONS), weights.get(ModelLayout.ROPE_COS),
        weights.get(ModelLayout.ROPE_SIN));
  }

  /** Applies a projection with its adapter, if it has one. */
  private final class Linear {
    private final GraphBuilder b;
    private final Value index;
    private final Weights weights;

    Linear(GraphBuilder b, Value index, Weights weights) {
      this.b = b;
      this.index = index;
      this.weights = weights;
    }

    Value apply(Projection projection, Value x) {
      return b.scope(projection.title(), () -> {
        Value y = base(projection, x);
        return layout.lora().filter(lora -> lora.covers(projection)).map(lora -> {
          Value input = weights.find(SEED)
              .map(seed -> b.apply(new Dropout(lora.dropout(), projection.ordinal()), x, seed, index)).orElse(x);
          return b.applyAll(new LoraLinear(lora.scale(projection)),
              List.of(y, input, weights.get(LoraSpec.stateA(projection)), weights.get(LoraSpec.stateB(projection))))
              .getFirst();
        }).orElse(y);
      });
    }

    private Value base(Projection projection, Value x) {
      List<Value> tensors = layout.states(projection).stream().map(weights::get).toList();
      return switch (layout.format(projection)) {
        case WeightFormat.Plain _ -> b.apply(MatMul.NT.giving(x.type().dtype()), x, tensors.getFirst());
        case WeightFormat.Nf4 format -> {
          List<Value> arguments = new ArrayList<>();
          arguments.add(x);
          arguments.addAll(tensors);
          yield b.applyAll(new Nf4Linear(layout.nf4(projection, format)), arguments).getFirst();
        }
      };
    }
  }
}
