package dev.jqlora.training.run;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.model.WeightFormat;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.LinkedHashMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What a trainer has in hand when it saves: a session with an adapter of a tiny Llama and its optimizer's states. */
final class TinyRun implements AutoCloseable {
  static final AdapterConfig ADAPTER = new AdapterConfig("tiny", 2, 4, 0, false, EnumSet.of(Projection.Q_PROJ,
      Projection.DOWN_PROJ));
  static final RunPlan PLAN = new RunPlan(10, 1, 2, 1, 2, 4);
  static final Map<String, String> FIXED = Map.of("seed", "42", "data", "abc");

  private static final LlamaConfig CONFIG = LlamaConfig.of(JsonObject.parse("tiny", """
      {"model_type": "llama", "vocab_size": 16, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
       "num_attention_heads": 4, "num_key_value_heads": 2}"""));
  private static final SequencedMap<String, TensorType> OPTIMIZER = new LinkedHashMap<>(Map.of("optimizer.a",
      TensorType.f32(2, 3), "optimizer.codes", TensorType.u8(5), "optimizer.empty", TensorType.f32(0)));

  private final ModelLayout layout;
  private final Session session;

  /** A run whose every float is {@code value} and whose every code is {@code value} too. */
  TinyRun(int value) {
    layout = layout(ADAPTER);
    session = new ReferenceBackend().open(Long.MAX_VALUE);
    allocate(layout.adapterStates(), value);
    allocate(OPTIMIZER, value);
  }

  private static ModelLayout layout(AdapterConfig adapter) {
    Map<Projection, WeightFormat> formats = Arrays.stream(Projection.values()).collect(Collectors.toMap(Function
        .identity(), _ -> new WeightFormat.Plain(DType.F32)));
    return new ModelLayout(CONFIG, formats, DType.F32, false, new WeightFormat.Plain(DType.F32), 16,
        Optional.of(adapter.spec()));
  }

  private void allocate(SequencedMap<String, TensorType> states, int value) {
    states.forEach((name, type) -> {
      session.allocate(name, type);
      if (type.dtype() == DType.F32) {
        float[] values = new float[(int) type.elements()];
        Arrays.fill(values, value);
        session.write(name, 0, MemorySegment.ofArray(values));
      } else {
        byte[] values = new byte[(int) type.bytes()];
        Arrays.fill(values, (byte) value);
        session.write(name, 0, MemorySegment.ofArray(values));
      }
    });
  }

  static TrainerState state(int step) {
    return new TrainerState(step, step / 10.0, step == 10, 64L * step, 1e9 * step, PLAN, Optional.empty(), Optional
        .empty(), List.of(new LogEntry.Step(step / 10.0, step, 1.0 / step, 0.1, 1e-4)));
  }

  static ResumeState resume(int step) {
    return new ResumeState(step, new LossSums(0.1 + step, 0.2, step - 1), Optional.empty(), 12.5, new TreeMap<>(FIXED));
  }

  /** Saves as a trainer does. */
  Path save(Checkpoints checkpoints, int step) {
    return checkpoints.save(state(step), Optional.of(resume(step)), this::write);
  }

  /** Saves with {@code save_only_model}. */
  Path saveModelOnly(Checkpoints checkpoints, int step) {
    return checkpoints.save(state(step), Optional.empty(), folder -> AdapterFiles.save(folder, ADAPTER, layout,
        session));
  }

  void write(Path folder) {
    AdapterFiles.save(folder, ADAPTER, layout, session);
    SessionStates.save(folder.resolve(SessionStates.FILE), session, OPTIMIZER.keySet());
  }

  /** Loads as a trainer does. */
  void load(Path folder) {
    AdapterFiles.load(folder, layout, session);
    SessionStates.load(folder.resolve(SessionStates.FILE), session, OPTIMIZER.keySet());
  }

  /** Loads an adapter of any description into a session of its own. */
  static void loadAdapter(Path folder, AdapterConfig config) {
    try (Session session = new ReferenceBackend().open(Long.MAX_VALUE)) {
      ModelLayout layout = layout(config);
      layout.adapterStates().forEach(session::allocate);
      AdapterFiles.load(folder, layout, session);
    }
  }

  /** The first value of each state, which is that of all. */
  int value() {
    int[] values = new int[2];
    float[] first = new float[1];
    session.read("optimizer.a", 20, MemorySegment.ofArray(first));
    values[0] = (int) first[0];
    byte[] code = new byte[1];
    session.read("optimizer.codes", 4, MemorySegment.ofArray(code));
    values[1] = code[0];
    if (values[0] != values[1]) {
      throw new AssertionError("states are of two saves: " + Arrays.toString(values));
    }
    return values[0];
  }

  @Override
  public void close() {
    session.close();
  }
}
