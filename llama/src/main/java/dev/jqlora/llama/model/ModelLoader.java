package dev.jqlora.llama.model;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.FloatReader;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.checkpoint.PrequantizedWeight;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.config.QuantizationConfig;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.safetensors.StoredTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * Brings a checkpoint into a session, one tensor at a time, quantizing it on the way where asked: a model is never in
 * memory unquantized.
 */
public final class ModelLoader {
  /**
   * What to make of the checkpoint's weights.
   *
   * @param float32 whether all numbers become F32, as training all weights wants it
   * @param positions the longest sequence of the run, in tokens
   */
  public record Options(Quantization quantization, boolean float32, int positions) {}

  private static final String EMBED_TOKENS = "model.embed_tokens.weight";
  private static final String LM_HEAD = "lm_head.weight";
  /** Numbers that are converted or checked at a time. */
  private static final int CHUNK = 1 << 20;

  private final LlamaConfig config;
  private final Checkpoint checkpoint;

  public ModelLoader(LlamaConfig config, Checkpoint checkpoint) {
    this.config = config;
    this.checkpoint = checkpoint;
  }

  /**
   * How a model would lie in memory of which only the configuration is there: its weights are taken to be stored as that
   * says, in BF16 where it says nothing.
   */
  public static ModelLayout expected(LlamaConfig config, Options options, Optional<LoraSpec> lora) {
    DType dtype = options.float32() ? DType.F32 : config.dtype().orElse(DType.BF16);
    boolean stored = config.quantization().isPresent();
    boolean nested = config.quantization().map(QuantizationConfig::doubleQuantization)
        .orElse(options.quantization().nested());
    WeightFormat format = (stored || options.quantization().projections()) && !options.float32()
        ? new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, nested, stored ? Optional.empty() : Optional.of(dtype))
        : new WeightFormat.Plain(dtype);
    Map<Projection, WeightFormat> formats = new EnumMap<>(Projection.class);
    for (Projection projection : Projection.values()) {
      formats.put(projection, format);
    }
    WeightFormat head = format(options.quantization().head() && !options.float32(), options, dtype);
    return new ModelLayout(config, formats, dtype, options.float32(), head, options.positions(), lora);
  }

  /** The programs that {@link #fill} compiles: those that quantize, where the session has kernels for that. */
  public static Collection<Program> programs(ModelLayout layout, Capabilities capabilities) {
    Map<String, Program> programs = new LinkedHashMap<>();
    LlamaConfig config = layout.config();
    for (Projection projection : Projection.values()) {
      if (layout.format(projection) instanceof WeightFormat.Nf4 format) {
        Nf4Quantizer.programs((long) projection.out(config) * projection.in(config), format, capabilities)
            .forEach(program -> programs.put(program.name(), program));
      }
    }
    if (layout.head() instanceof WeightFormat.Nf4 format) {
      Nf4Quantizer.programs((long) config.vocabSize() * config.hiddenSize(), format, capabilities)
          .forEach(program -> programs.put(program.name(), program));
    }
    return programs.values();
  }

  /** How the model will lie in memory; reads no weight. */
  public ModelLayout layout(Options options, Optional<LoraSpec> lora) {
    Map<Projection, WeightFormat> formats = new EnumMap<>(Projection.class);
    for (Projection projection : Projection.values()) {
      formats.put(projection, format(projection, options));
    }
    DType table = options.float32() ? DType.F32 : dtype(EMBED_TOKENS);
    return new ModelLayout(config, formats, table, options.float32(), headFormat(options, table), options.positions(),
        lora);
  }

  /**
   * A projection is NF4 where it is stored so in every layer, or where it is to be quantized and is stored so in none.
   * One that only some layers have quantized is held in F32, since all layers of a kind are stacked.
   */
  private WeightFormat format(Projection projection, Options options) {
    int quantized = 0;
    for (int layer = 0; layer < config.layers(); layer++) {
      if (PrequantizedWeight.isQuantized(checkpoint, weight(projection, layer))) {
        quantized++;
      } else {
        // Of each layer, since one in a type that is not known would fail only when it is loaded.
        dtype(weight(projection, layer));
      }
    }
    if (options.float32() || quantized > 0 && quantized < config.layers()) {
      return new WeightFormat.Plain(DType.F32);
    }
    if (quantized > 0) {
      return storedFormat(weight(projection, 0), shape(projection));
    }
    return format(options.quantization().projections(), options, dtype(weight(projection, 0)));
  }

  /** The format of a weight that is stored unquantized. */
  private static WeightFormat format(boolean quantizes, Options options, DType dtype) {
    return quantizes
        ? new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, options.quantization().nested(), Optional.of(dtype))
        : new WeightFormat.Plain(dtype);
  }

  private WeightFormat storedFormat(String name, Shape shape) {
    Nf4Tensor stored = PrequantizedWeight.read(checkpoint, name, shape).nf4();
    return new WeightFormat.Nf4(stored.blockSize(), stored.absmax() instanceof Absmax.Nested, Optional.empty());
  }

  private WeightFormat headFormat(Options options, DType table) {
    if (options.float32()) {
      return new WeightFormat.Plain(DType.F32);
    }
    if (!config.tiedEmbeddings() && PrequantizedWeight.isQuantized(checkpoint, LM_HEAD)) {
      return storedFormat(LM_HEAD, tableShape());
    }
    return format(options.quantization().head(), options, config.tiedEmbeddings() ? table : dtype(LM_HEAD));
  }

  private Shape tableShape() {
    return Shape.of(config.vocabSize(), config.hiddenSize());
  }

  /** Of a weight that is stored unquantized; an error where it is stored in a way that is not known. */
  private DType dtype(String name) {
    StoredTensor stored = checkpoint.stored(name);
    return stored.type().dtype().filter(DType::isFloat).orElseThrow(() -> stored.error(
        "is %s; expected F32, F16 or BF16, or NF4 as bitsandbytes saves it".formatted(stored.info())));
  }

  private static String weight(Projection projection, int layer) {
    return projection.path(layer) + ".weight";
  }

  private Shape shape(Projection projection) {
    return Shape.of(projection.out(config), projection.in(config));
  }

  /** Allocates the model's states and fills them; see {@link #fill}. */
  public EmbeddingTable load(ModelLayout layout, Session session, IntConsumer progress) {
    layout.outerStates().forEach(session::allocate);
    layout.layerStates().forEach(session::allocate);
    return fill(layout, session, progress);
  }

  /**
   * Fills the model's states.
   *
   * @param progress is told the number of layers that are loaded
   * @return the embedding table; where it is on the host, it reads the checkpoint, which must stay open
   * @throws JqloraException of kind MODEL where a tensor is missing, has another shape, or holds NaN or Inf
   */
  public EmbeddingTable fill(ModelLayout layout, Session session, IntConsumer progress) {
    EmbeddingTable embeddings = embeddings(layout, session);
    Nf4Quantizer quantizer = new Nf4Quantizer(session);
    copy(session, ModelLayout.NORM, 0, "model.norm.weight", Shape.of(config.hiddenSize()));
    if (!layout.headIsTable()) {
      loadMatrix(session, quantizer, layout.head(), layout.headStates(), 0,
          config.tiedEmbeddings() ? EMBED_TOKENS : LM_HEAD, tableShape());
    }
    loadRope(layout, session);
    for (int layer = 0; layer < config.layers(); layer++) {
      String prefix = "model.layers." + layer + ".";
      Shape width = Shape.of(config.hiddenSize());
      copy(session, ModelLayout.INPUT_LAYERNORM, layer, prefix + "input_layernorm.weight", width);
      copy(session, ModelLayout.POST_ATTENTION_LAYERNORM, layer, prefix + "post_attention_layernorm.weight", width);
      for (Projection projection : Projection.values()) {
        loadMatrix(session, quantizer, layout.format(projection), layout.states(projection), layer,
            weight(projection, layer), shape(projection));
      }
      progress.accept(layer + 1);
    }
    return embeddings;
  }

  private EmbeddingTable embeddings(ModelLayout layout, Session session) {
    if (!layout.tableOnHost()) {
      copy(session, ModelLayout.EMBED_TOKENS, 0, EMBED_TOKENS, tableShape());
      return new EmbeddingTable.InState();
    }
    Tensor table = checkpoint.floats(EMBED_TOKENS, tableShape());
    chunks(table, EMBED_TOKENS, (_, _, _) -> {
    });
    return new EmbeddingTable.OnHost(table);
  }

  private void loadRope(ModelLayout layout, Session session) {
    float[] frequencies = config.rope().inverseFrequencies(config.headDim());
    float[] cos = new float[layout.positions() * frequencies.length];
    float[] sin = new float[cos.length];
    for (int i = 0; i < cos.length; i++) {
      float angle = i / frequencies.length * frequencies[i % frequencies.length];
      cos[i] = (float) Math.cos(angle);
      sin[i] = (float) Math.sin(angle);
    }
    session.write(ModelLayout.ROPE_COS, 0, MemorySegment.ofArray(cos));
    session.write(ModelLayout.ROPE_SIN, 0, MemorySegment.ofArray(sin));
  }

  /** Loads a matrix into slice {@code layer} of its states, in the format that they are of. */
  private void loadMatrix(Session session, Nf4Quantizer quantizer, WeightFormat format, List<String> states, int layer,
      String name, Shape shape) {
    boolean stored = PrequantizedWeight.isQuantized(checkpoint, name);
    try (Arena arena = Arena.ofShared()) {
      switch (format) {
        case WeightFormat.Plain _ when stored -> {
          Nf4Tensor quantized = PrequantizedWeight.read(checkpoint, name, shape).nf4();
          int row = shape.last();
          float[] values = new float[row];
          for (int i = 0; i < shape.dim(0); i++) {
            quantized.dequantize((long) i * row, values, 0, row);
            session.write(states.getFirst(),
                ((long) layer * shape.dim(0) + i) * row * Float.BYTES, MemorySegment.ofArray(values));
          }
        }
        case WeightFormat.Plain _ -> copy(session, states.getFirst(), layer, name, shape);
        case WeightFormat.Nf4 nf4 -> {
          Nf4Tensor tensor = stored
              ? PrequantizedWeight.read(checkpoint, name, shape).nf4()
              : quantize(quantizer, name, shape, nf4, arena);
          write(session, states, layer, tensor, name);
        }
      }
    }
  }

  private Nf4Tensor quantize(Nf4Quantizer quantizer, String name, Shape shape, WeightFormat.Nf4 format, Arena arena) {
    Nf4.Quantized quantized = quantizer.quantize(checkpoint.floats(name, shape), format, arena);
    if (quantized.nonFinite() > 0) {
      throw nonFinite(name, quantized.nonFinite());
    }
    return quantized.weight();
  }

  private void write(Session session, List<String> states, int layer, Nf4Tensor tensor, String name) {
    List<MemorySegment> parts = switch (tensor.absmax()) {
      case Absmax.Plain(MemorySegment values) when states.size() == 2 -> List.of(tensor.codes(), values);
      case Absmax.Nested nested when states.size() == 5 -> List.of(tensor.codes(), nested.codes(),
          MemorySegment.ofArray(nested.map().values()), nested.nestedAbsmax(),
          MemorySegment.ofArray(new float[]{nested.offset()}));
      default -> throw checkpoint.stored(name)
          .error("is quantized otherwise than the same weight of the first layer; expected one kind for all layers");
    };
    for (int i = 0; i < parts.size(); i++) {
      session.write(states.get(i), layer * parts.get(i).byteSize(), parts.get(i));
    }
  }

  /** Copies a tensor into slice {@code layer} of a state, converting it to the state's element type. */
  private void copy(Session session, String state, int layer, String name, Shape shape) {
    Tensor source = checkpoint.floats(name, shape);
    TensorType target = new TensorType(session.type(state).dtype(), shape);
    chunks(source, name, (first, values, count) -> {
      long offset = (layer * shape.elements() + first) * target.dtype().bytes();
      if (source.type().dtype() == target.dtype()) {
        int bytes = target.dtype().bytes();
        session.write(state, offset, source.data().asSlice(first * bytes, (long) count * bytes));
      } else if (target.dtype() == DType.F32) {
        session.write(state, offset, MemorySegment.ofArray(values).asSlice(0, (long) count * Float.BYTES));
      } else {
        throw checkpoint.stored(name).error("is not %s as in the first layer; expected one type for all layers"
            .formatted(target.dtype()));
      }
    });
  }

  /** A part of a tensor: its first element, and its values as float32. */
  @FunctionalInterface
  private interface Chunk {
    void take(long first, float[] values, int count);
  }

  /** Goes through a tensor of real numbers, all of which must be finite. */
  private void chunks(Tensor source, String name, Chunk chunk) {
    long elements = source.type().elements();
    float[] values = new float[(int) Math.min(CHUNK, elements)];
    for (long first = 0; first < elements; first += values.length) {
      int count = (int) Math.min(values.length, elements - first);
      FloatReader.read(source, first, values, 0, count);
      checkFinite(values, count, name);
      chunk.take(first, values, count);
    }
  }

  private void checkFinite(float[] values, int count, String name) {
    long bad = 0;
    for (int i = 0; i < count; i++) {
      bad += Float.isFinite(values[i]) ? 0 : 1;
    }
    if (bad > 0) {
      throw nonFinite(name, bad);
    }
  }

  private JqloraException nonFinite(String name, long count) {
    return checkpoint.stored(name)
        .error("holds %d values that are NaN or infinite; expected finite weights (is the download whole?)"
            .formatted(count));
  }
}
