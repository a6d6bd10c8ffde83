package dev.jqlora.llama.adapter;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.model.WeightFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A Llama of two layers, width 8, without weights: all that adapters need to know of a model. */
final class TinyModel {
  private static final LlamaConfig CONFIG = LlamaConfig.of(JsonObject.parse("tiny", """
      {"model_type": "llama", "vocab_size": 16, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
       "num_attention_heads": 4, "num_key_value_heads": 2}"""));

  private TinyModel() {}

  static ModelLayout layout(LoraSpec spec) {
    return layout(CONFIG, spec);
  }

  static ModelLayout layout(LlamaConfig config, LoraSpec spec) {
    Map<Projection, WeightFormat> formats = Arrays.stream(Projection.values()).collect(Collectors.toMap(Function
        .identity(), _ -> new WeightFormat.Plain(DType.F32)));
    return new ModelLayout(config, formats, DType.F32, false, new WeightFormat.Plain(DType.F32), 16,
        Optional.of(spec));
  }

  /** A session with the layout's adapter states, zeroed. */
  static Session session(ModelLayout layout) {
    Session session = new ReferenceBackend().open(Long.MAX_VALUE);
    layout.adapterStates().forEach(session::allocate);
    return session;
  }

  static float[] read(Session session, String state) {
    float[] values = new float[(int) session.type(state).elements()];
    session.read(state, 0, MemorySegment.ofArray(values));
    return values;
  }

  static void write(Session session, String state, float[] values) {
    session.write(state, 0, MemorySegment.ofArray(values).asSlice(0, values.length * ValueLayout.JAVA_FLOAT
        .byteSize()));
  }
}
