package dev.jqlora.llama.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.SharedData;
import dev.jqlora.llama.safetensors.Checkpoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** A head in NF4 on a real model whose head is its embedding table. */
class QuantizedHeadTest {
  private static final int[] IDS = {1, 403, 407, 261, 378, 432, 383, 286, 261, 410};
  private static final Quantization HEAD = new Quantization(false, true, true);

  /** What is computed of the model. */
  private record Results(float[] nll, float[] likeliest, float[] logits) {}

  @Test
  void theTableLeavesTheDeviceAndTheHeadComes() {
    LlamaConfig config = LlamaConfig.read(SharedData.path("stories260K"));
    try (Checkpoint checkpoint = Checkpoint.open(SharedData.path("stories260K"))) {
      ModelLayout layout = new ModelLoader(config, checkpoint).layout(new ModelLoader.Options(HEAD, false, 16), Optional
          .empty());
      assertTrue(layout.tableOnHost());
      assertEquals(5, layout.headStates().size());
      long weights = (long) config.vocabSize() * config.hiddenSize();
      long bytes = layout.headStates().stream().mapToLong(state -> Objects.requireNonNull(layout.outerStates().get(
          state)).bytes()).sum();
      assertTrue(bytes < weights * 0.6, () -> bytes + " bytes for " + weights + " weights");
      assertEquals(new WeightFormat.Plain(DType.F32), layout.format(Projection.Q_PROJ));
    }
  }

  /** Decoding on the way gives the very bits that a head of the decoded numbers gives, and less exact ones than before. */
  @Test
  void itComputesAsTheDecodedHeadDoes() {
    try (Backend backend = new CpuBackend(2)) {
      Results quantized = run(backend, HEAD, false);
      Results decoded = run(backend, Quantization.NONE, true);
      Results exact = run(backend, Quantization.NONE, false);
      assertArrayEquals(decoded.nll(), quantized.nll());
      assertArrayEquals(decoded.likeliest(), quantized.likeliest());
      assertArrayEquals(decoded.logits(), quantized.logits());
      assertNotEquals(mean(exact.nll()), mean(quantized.nll()));
      assertEquals(mean(exact.nll()), mean(quantized.nll()), 0.1);
    }
  }

  @Test
  void theReferenceAgrees() {
    try (Backend cpu = new CpuBackend(1); Backend reference = new ReferenceBackend()) {
      Results expected = run(reference, HEAD, false);
      Results actual = run(cpu, HEAD, false);
      assertArrayEquals(expected.nll(), actual.nll(), 1e-4f);
      assertArrayEquals(expected.likeliest(), actual.likeliest());
      assertArrayEquals(expected.logits(), actual.logits(), 1e-4f);
    }
  }

  @Test
  void itHasNoGradient() {
    LlamaConfig config = LlamaConfig.read(SharedData.path("stories260K"));
    try (Checkpoint checkpoint = Checkpoint.open(SharedData.path("stories260K"))) {
      Program.Builder program = new Program.Builder("train");
      LlamaGraph llama = new LlamaGraph(new ModelLoader(config, checkpoint).layout(new ModelLoader.Options(HEAD, false,
          16), Optional.empty()), program);
      Value hidden = program.feed("hidden", TensorType.f32(2, config.hiddenSize()));
      Value labels = program.feed("labels", TensorType.i32(2));
      assertThrows(IllegalArgumentException.class, () -> llama.crossEntropy(hidden, labels, true, true));
    }
  }

  private static double mean(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).sum() / (values.length - 1);
  }

  /**
   * Runs the model; with {@code decoded} its head is a state of its own that holds the numbers of the quantized table,
   * while the embedding table is left as it was.
   */
  private static Results run(Backend backend, Quantization quantization, boolean decoded) {
    Path folder = SharedData.path("stories260K");
    LlamaConfig config = LlamaConfig.read(folder);
    int n = IDS.length;
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Session session = backend.open(Long.MAX_VALUE);
        Arena arena = Arena.ofShared()) {
      ModelLoader loader = new ModelLoader(config, checkpoint);
      ModelLayout layout = loader.layout(new ModelLoader.Options(quantization, false, n), Optional.empty());
      EmbeddingTable embeddings = loader.load(layout, session, _ -> {
      });
      Program.Builder program = new Program.Builder("head");
      LlamaGraph llama = new LlamaGraph(layout, program);
      Value hidden = llama.hidden(n, false, SavePolicy.NOTHING, DType.F32);
      Value labels = program.feed("labels", TensorType.i32(n));
      program.fetch("hidden", hidden);
      program.fetch("nll", llama.crossEntropy(hidden, labels, false, false).get(1));
      program.fetch("likeliest", llama.likeliest(hidden));
      program.fetch("logits", llama.logits(hidden));
      var executable = session.compile(program.build());
      TensorType type = TensorType.i32(n);
      Map<String, Tensor> feeds = new HashMap<>(Map.of(LlamaGraph.POSITIONS, Tensor.of(type, IntStream.range(0, n)
          .toArray()), LlamaGraph.START, Tensor.of(type, new int[n]), "labels", Tensor.of(type,
              IntStream.range(0, n)
                  .map(i -> i + 1 < n ? IDS[i + 1] : LinearCrossEntropy.IGNORED).toArray())));
      embeddings.feed(IDS, feeds);
      Map<String, Tensor> results = executable.run(feeds);
      if (decoded) {
        return onDecodedHead(backend, layout, checkpoint, Objects.requireNonNull(results.get("hidden")).toFloats(),
            Objects.requireNonNull(feeds.get("labels")), arena);
      }
      return results(results);
    }
  }

  private static Results onDecodedHead(Backend backend, ModelLayout layout, Checkpoint checkpoint, float[] states,
      Tensor labels, Arena arena) {
    TensorType table = Objects.requireNonNull(layout.outerStates().get(ModelLayout.EMBED_TOKENS));
    Nf4Tensor weight = Nf4.quantize(checkpoint.floats("model.embed_tokens.weight", table.shape()),
        Nf4.DEFAULT_BLOCK_SIZE, arena).weight();
    Nf4Tensor nested = new Nf4Tensor(table.shape(), Nf4.DEFAULT_BLOCK_SIZE, weight.codes(), DoubleQuantization.quantize(
        weight.absmax(), arena));
    float[] values = new float[(int) table.elements()];
    nested.dequantize(0, values, 0, values.length);
    Program.Builder program = new Program.Builder("decoded head");
    LlamaGraph llama = new LlamaGraph(layout, program);
    Value hidden = program.feed("hidden", TensorType.f32(states.length / table.shape().dim(1), table.shape().dim(1)));
    Value wanted = program.feed("labels", labels.type());
    program.fetch("nll", llama.crossEntropy(hidden, wanted, false, false).get(1));
    program.fetch("likeliest", llama.likeliest(hidden));
    program.fetch("logits", llama.logits(hidden));
    try (Session session = backend.open(Long.MAX_VALUE)) {
      layout.outerStates().forEach(session::allocate);
      layout.layerStates().forEach(session::allocate);
      session.write(ModelLayout.EMBED_TOKENS, 0, MemorySegment.ofArray(values));
      return results(session.compile(program.build()).run(Map.of("hidden", Tensor.of(hidden.type(), states), "labels",
          labels)));
    }
  }

  private static Results results(Map<String, Tensor> fetched) {
    return new Results(Objects.requireNonNull(fetched.get("nll")).toFloats(), Objects.requireNonNull(fetched.get(
        "likeliest")).toFloats(), Objects.requireNonNull(fetched.get("logits")).toFloats());
  }
}
