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
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.llama.checkpoint.PrequantizedWeight;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.safetensors.Checkpoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
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
    return new WeightStorage.Declared(config).layout(config, options, lora);
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
    return new WeightStorage.Files(checkpoint).layout(config, options, lora);
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
    copy(session, ModelTensor.norm(config));
    if (!layout.headIsTable()) {
      loadMatrix(session, quantizer, layout.head(), layout.headStates(), ModelTensor.head(config));
    }
    loadRope(layout, session);
    for (int layer = 0; layer < config.layers(); layer++) {
      for (ModelTensor tensor : ModelTensor.ofLayer(config, layer)) {
        tensor.projection().ifPresentOrElse(projection -> loadMatrix(session, quantizer, layout.format(projection),
            layout.states(projection), tensor), () -> copy(session, tensor));
      }
      progress.accept(layer + 1);
    }
    return embeddings;
  }

  private EmbeddingTable embeddings(ModelLayout layout, Session session) {
    ModelTensor tensor = ModelTensor.embedTokens(config);
    if (!layout.tableOnHost()) {
      copy(session, tensor);
      return new EmbeddingTable.InState();
    }
    Tensor table = checkpoint.floats(tensor.name(), tensor.shape());
    chunks(table, tensor.name(), (_, _, _) -> {
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

  /** Loads a matrix into its slice of some states, in the format that they are of. */
  private void loadMatrix(Session session, Nf4Quantizer quantizer, WeightFormat format, List<String> states,
      ModelTensor tensor) {
    boolean stored = PrequantizedWeight.isQuantized(checkpoint, tensor.name());
    try (Arena arena = Arena.ofShared()) {
      switch (format) {
        case WeightFormat.Plain _ when stored -> {
          Nf4Tensor quantized = prequantized(tensor);
          int rows = tensor.shape().dim(0);
          int width = tensor.shape().last();
          float[] values = new float[width];
          for (int row = 0; row < rows; row++) {
            quantized.dequantize((long) row * width, values, 0, width);
            session.write(states.getFirst(), ((long) tensor.layer() * rows + row) * width * Float.BYTES,
                MemorySegment.ofArray(values));
          }
        }
        case WeightFormat.Plain _ -> copy(session, tensor);
        case WeightFormat.Nf4 nf4 -> write(session, states, tensor,
            stored ? prequantized(tensor) : quantize(quantizer, tensor, nf4, arena));
      }
    }
  }

  private Nf4Tensor prequantized(ModelTensor tensor) {
    return PrequantizedWeight.read(checkpoint, tensor.name(), tensor.shape());
  }

  private Nf4Tensor quantize(Nf4Quantizer quantizer, ModelTensor tensor, WeightFormat.Nf4 format, Arena arena) {
    Nf4.Quantized quantized = quantizer.quantize(checkpoint.floats(tensor.name(), tensor.shape()), format, arena);
    if (quantized.nonFinite() > 0) {
      throw nonFinite(tensor.name(), quantized.nonFinite());
    }
    return quantized.weight();
  }

  private void write(Session session, List<String> states, ModelTensor tensor, Nf4Tensor quantized) {
    List<MemorySegment> parts = switch (quantized.absmax()) {
      case Absmax.Plain(MemorySegment values) when states.size() == 2 -> List.of(quantized.codes(), values);
      case Absmax.Nested nested when states.size() == 5 -> List.of(quantized.codes(), nested.codes(),
          MemorySegment.ofArray(nested.map().values()), nested.nestedAbsmax(),
          MemorySegment.ofArray(new float[]{nested.offset()}));
      default -> throw checkpoint.stored(tensor.name())
          .error("is quantized otherwise than the same weight of the first layer; expected one kind for all layers");
    };
    for (int i = 0; i < parts.size(); i++) {
      session.write(states.get(i), tensor.layer() * parts.get(i).byteSize(), parts.get(i));
    }
  }

  /** Copies a tensor into its slice of its state, converting it to the state's element type. */
  private void copy(Session session, ModelTensor tensor) {
    Tensor source = checkpoint.floats(tensor.name(), tensor.shape());
    DType target = session.type(tensor.state()).dtype();
    chunks(source, tensor.name(), (first, values, count) -> {
      long offset = (tensor.layer() * tensor.shape().elements() + first) * target.bytes();
      if (source.type().dtype() == target) {
        session.write(tensor.state(), offset,
            source.data().asSlice(first * target.bytes(), (long) count * target.bytes()));
      } else if (target == DType.F32) {
        session.write(tensor.state(), offset, MemorySegment.ofArray(values).asSlice(0, (long) count * Float.BYTES));
      } else {
        throw checkpoint.stored(tensor.name())
            .error("is not %s as in the first layer; expected one type for all layers".formatted(target));
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
