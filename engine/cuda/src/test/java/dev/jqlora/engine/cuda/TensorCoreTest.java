package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.op.MixedPrecision;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;
import dev.jqlora.engine.testkit.KernelChoice;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which cases are computed on tensor cores: it shows in results that are not those of float32 to the bit. */
class TensorCoreTest {
  private static List<Tensor> run(CaseList.Case sample, Precision precision) {
    try (CudaBackend backend = new CudaBackend(precision); Session session = backend.open(Long.MAX_VALUE)) {
      return new CaseRun(session, sample).results();
    }
  }

  private static boolean rounded(CaseList.Case sample) {
    TestDriver.use();
    List<Tensor> exact = run(sample, Precision.FLOAT32);
    List<Tensor> results = run(sample, Precision.BF16);
    return IntStream.range(0, exact.size()).anyMatch(i -> exact.get(i).data().mismatch(results.get(i).data()) >= 0);
  }

  private static List<CaseList.Case> cases(String op, String prefix) {
    return Objects.requireNonNull(CaseCatalogue.all().get(op)).cases().stream()
        .filter(sample -> sample.name().startsWith(prefix)).toList();
  }

  @ParameterizedTest
  @CsvSource({"MatMul, whole lines", "LoraLinear, whole lines", "LinearCrossEntropy, whole lines",
      "Nf4Linear, whole lines", "Nf4LinearGradient, whole lines", "Nf4LinearCrossEntropy, whole lines",
      "Nf4LoraLinear, whole lines", "Nf4LoraLinearGradient, whole lines",
      "CausalAttention, heads of", "CausalAttentionGradient, heads of", "CachedAttention, heads of"})
  void tensorCoresTakeLinesOfWholePieces(String op, String prefix) {
    assertNotEquals(List.of(), cases(op, prefix));
    cases(op, prefix).forEach(sample -> assertTrue(rounded(sample), sample.name()));
  }

  /** Of activations in BF16, too: others are computed in F32 between casts, as all are in the mode of proof. */
  @ParameterizedTest
  @ValueSource(strings = {"MatMul", "LoraLinear", "Nf4Linear", "Nf4LinearGradient", "Nf4LoraLinear",
      "Nf4LoraLinearGradient", "CausalAttention", "CausalAttentionGradient"})
  void tensorCoresTakeActivationsInBf16(String op) {
    TestDriver.use();
    List<CaseList.Case> cases = cases(op, "BF16: ");
    assertEquals(cases.stream().filter(sample -> !sample.name().startsWith("BF16: odd")).toList(),
        kernels(cases, Precision.BF16));
    assertEquals(cases.stream().filter(sample -> !MixedPrecision.storesBf16(sample.op(), sample.types())).toList(),
        kernels(cases, Precision.FLOAT32));
    assertTrue(kernels(cases, Precision.BF16).size() < cases.size());
  }

  /** Those that have a kernel of their own. */
  private static List<CaseList.Case> kernels(List<CaseList.Case> cases, Precision precision) {
    try (CudaBackend backend = new CudaBackend(precision)) {
      return cases.stream().filter(sample -> KernelChoice.of(sample, backend) instanceof KernelChoice.Native).toList();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"MatMul", "Nf4Linear", "Nf4LinearGradient"})
  void otherShapesStayInFloat32(String op) {
    String prefix = op.equals("MatMul") ? "linear layer of 17" : "blocks cross rows";
    assertEquals(List.of(), cases(op, prefix).stream().filter(TensorCoreTest::rounded).toList());
    assertNotEquals(List.of(), cases(op, prefix));
  }
}
