package dev.jqlora.llama.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.TestBackends;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.safetensors.Checkpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A real Llama's negative log likelihood against PyTorch's. */
class GoldenModelTest {
  private static final Path DATA = Path.of(System.getProperty("jqlora.root", "."), "..", "shared", "data");

  @Test
  void referenceMatchesPyTorch() throws IOException {
    try (Backend backend = new ReferenceBackend()) {
      check(backend, "stories260K", false, "mean_nll", 1e-5);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "tornado"})
  void backendsMatchPyTorch(String name) throws IOException {
    try (Backend backend = TestBackends.named(name, 2)) {
      check(backend, "stories260K", false, "mean_nll", 1e-5);
      check(backend, "stories260K", true, "mean_nll_nf4", 1e-5);
      check(backend, "golden/model-bnb-4bit", false, "mean_nll_nf4", 1e-5);
    }
  }

  private static void check(Backend backend, String folder, boolean quantize, String key, double tolerance)
      throws IOException {
    assumeTrue(Files.isDirectory(DATA), "reference data is not at " + DATA.toAbsolutePath() + ": skipped");
    for (JsonNode golden : new ObjectMapper().readTree(DATA.resolve("golden/nll.json").toFile())) {
      check(backend, folder, quantize, golden, golden.get(key).asDouble(), tolerance);
    }
  }

  private static void check(Backend backend, String folder, boolean quantize, JsonNode golden, double expected,
      double tolerance) {
    int[] ids = IntStream.range(0, golden.get("ids").size()).map(i -> golden.get("ids").get(i).asInt()).toArray();
    int n = ids.length;
    LlamaConfig config = LlamaConfig.read(DATA.resolve(folder));
    try (Checkpoint checkpoint = Checkpoint.open(DATA.resolve(folder));
        Session session = backend.open(Long.MAX_VALUE)) {
      ModelLoader loader = new ModelLoader(config, checkpoint);
      ModelLayout layout = loader
          .layout(new ModelLoader.Options(quantize ? Quantization.NF4 : Quantization.NONE, false, n), Optional.empty());
      loader.load(layout, session, _ -> {
      });
      Program.Builder program = new Program.Builder("eval");
      LlamaGraph llama = new LlamaGraph(layout, program);
      Value hidden = llama.hidden(n, false, SavePolicy.NOTHING, DType.F32);
      Value labels = program.feed("labels", TensorType.i32(n));
      program.fetch("loss",
          llama.crossEntropy(hidden, labels, false, false).getFirst());
      int[] next = IntStream.range(0, n).map(i -> i + 1 < n ? ids[i + 1] : LinearCrossEntropy.IGNORED).toArray();
      Map<String, Tensor> results = session.compile(program.build())
          .run(Map.of(LlamaGraph.TOKENS, Tensor.of(TensorType.i32(n), ids), LlamaGraph.POSITIONS,
              Tensor.of(TensorType.i32(n), IntStream.range(0, n).toArray()), LlamaGraph.START,
              Tensor.of(TensorType.i32(n), new int[n]), "labels", Tensor.of(TensorType.i32(n), next)));
      assertEquals(expected, Objects.requireNonNull(results.get("loss")).get(0) / (n - 1),
          tolerance);
    }
  }
}
