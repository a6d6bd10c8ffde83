package dev.jqlora.llama.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.safetensors.CheckpointWriter;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EmbeddingTableTest {
  private static final ModelLoader.Options OPTIONS = new ModelLoader.Options(Quantization.NONE, false, 16);
  private static final int[] IDS = {3, 60, 0, 3, 17, 59, 1};

  @TempDir
  private Path folder;

  private static LlamaConfig config(boolean tied) {
    return LlamaConfig.of(JsonObject.parse("tiny", """
        {"model_type": "llama", "vocab_size": 61, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "tie_word_embeddings": %s}"""
        .formatted(tied)));
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void gatheredRowsGiveTheBitsThatTheDeviceGives(DType dtype) {
    LlamaConfig config = config(false);
    RandomModel.write(folder, config, RandomModel.Storage.valueOf(dtype.name()), 7);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      ModelLoader loader = new ModelLoader(config, checkpoint);
      ModelLayout host = loader.layout(OPTIONS, Optional.empty());
      ModelLayout device = new ModelLayout(config, host.formats(), host.tableDtype(), true, host.head(), 16, Optional
          .empty());
      for (Backend each : List.of(new CpuBackend(2), new ReferenceBackend())) {
        try (Backend backend = each;
            Session one = backend.open(Long.MAX_VALUE);
            Session other = backend.open(Long.MAX_VALUE)) {
          float[] gathered = hidden(loader, host, one);
          assertArrayEquals(hidden(loader, device, other), gathered);
          assertEquals(61 * 24 * dtype.bytes(), stateBytes(device) - stateBytes(host));
          assertThrows(IllegalArgumentException.class, () -> one.type(ModelLayout.EMBED_TOKENS));
        }
      }
    }
  }

  private static long stateBytes(ModelLayout layout) {
    return layout.outerStates().values().stream().mapToLong(TensorType::bytes).sum();
  }

  private static float[] hidden(ModelLoader loader, ModelLayout layout, Session session) {
    EmbeddingTable embeddings = loader.load(layout, session, _ -> {
    });
    Program.Builder program = new Program.Builder("hidden");
    program.fetch("hidden", new LlamaGraph(layout, program).hidden(IDS.length, false, SavePolicy.NOTHING, DType.F32));
    var executable = session.compile(program.build());
    TensorType type = TensorType.i32(IDS.length);
    Map<String, Tensor> feeds = new HashMap<>(Map.of(LlamaGraph.POSITIONS, Tensor.of(type, IntStream.range(0,
        IDS.length).toArray()), LlamaGraph.START, Tensor.of(type, new int[IDS.length])));
    embeddings.feed(IDS, feeds);
    return Objects.requireNonNull(executable.run(feeds).get("hidden")).toFloats();
  }

  @Test
  void theTableIsAStateOnlyWhereItIsTrainedOrMultipliedWith() {
    assertTrue(layout(config(false), false).tableOnHost());
    assertFalse(layout(config(false), true).tableOnHost());
    assertFalse(layout(config(true), false).tableOnHost());
    assertEquals(List.of(ModelLayout.EMBED_TOKENS), layout(config(true), false).headStates());
    assertEquals(List.of(ModelLayout.LM_HEAD), layout(config(false), true).headStates());
  }

  private static ModelLayout layout(LlamaConfig config, boolean trained) {
    Map<Projection, WeightFormat> formats = Arrays.stream(Projection.values()).collect(Collectors.toMap(Function
        .identity(), _ -> new WeightFormat.Plain(DType.BF16)));
    return new ModelLayout(config, formats, DType.BF16, trained, new WeightFormat.Plain(DType.BF16), 16, Optional
        .empty());
  }

  @Test
  void anIdBeyondTheTableIsRefused() {
    var table = new EmbeddingTable.OnHost(Tensor.of(TensorType.f32(2, 3), 1f, 2, 3, 4, 5, 6));
    assertThrows(IndexOutOfBoundsException.class, () -> table.feed(new int[]{0, 2}, new HashMap<>()));
    assertThrows(IndexOutOfBoundsException.class, () -> table.feed(new int[]{-1}, new HashMap<>()));
  }

  @Test
  void valuesThatAreNotFiniteAreRefused() {
    float[] values = new float[61 * 24];
    values[1000] = Float.NaN;
    values[1001] = Float.NEGATIVE_INFINITY;
    TensorType type = new TensorType(DType.F32, Shape.of(61, 24));
    try (CheckpointWriter writer = CheckpointWriter.create(folder, List.of(TensorInfo.of("model.embed_tokens.weight",
        type)))) {
      writer.append("model.embed_tokens.weight", MemorySegment.ofArray(values));
      writer.commit();
    }
    try (Backend backend = new ReferenceBackend();
        Session session = backend.open(Long.MAX_VALUE);
        Checkpoint checkpoint = Checkpoint.open(folder)) {
      OneLineError.assertThrown(() -> new ModelLoader(config(false), checkpoint)
          .load(layout(config(false), false), session, _ -> {
          }), "\"model.embed_tokens.weight\" holds 2 values");
    }
  }
}
