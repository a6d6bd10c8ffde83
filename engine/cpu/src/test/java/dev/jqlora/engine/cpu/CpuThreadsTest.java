package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.op.AdamW;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.op.EmbeddingGradient;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.op.RmsNormWeightGradient;
import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;
import dev.jqlora.engine.testkit.Input;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** The same bits for any number of threads: on all cases, and on shapes large enough that the work is shared out. */
class CpuThreadsTest {
  private static final int[] THREADS = {2, 3, 7};

  /** Sums over many rows or columns are where an order of work can slip into a result. */
  private static CaseList large() {
    Input rates = Input.floats(-1e-3f, 0.9f, 0.999f);
    Input q = Input.f32(150, 4 * 16);
    Input k = Input.f32(150, 2 * 16);
    Nf4Weight weight = new Nf4Weight(300, 257, 64, true);
    return new CaseList().add("gradient of a weight", MatMul.TN, Input.f32(700, 65), Input.f32(700, 130))
        .add("linear layer", MatMul.NT, Input.f32(130, 257), Input.f32(300, 257))
        .add("linear layer, one token", MatMul.NT, Input.f32(1, 2049), Input.bf16(900, 2049))
        .add("norm's weight", new RmsNormWeightGradient(1e-5f), Input.f32(900, 130), Input.f32(900, 130))
        .add("embedding", new EmbeddingGradient(40), Input.ids(40, 900), Input.f32(900, 130))
        .add("squares", new SumOfSquares(), Input.f32(1_000_003))
        .add("AdamW", new AdamW(0.9, 0.999, 1e-8), Input.f32(100_003), Input.f32(100_003), Input.f32(100_003),
            Input.between(0, 1, 100_003), rates, Input.scalar(0.5f))
        .add("8-bit AdamW", new AdamW8bit(3, 0.9, 0.999, 1e-8), Input.f32(3, 10_001), Input.f32(3, 10_001),
            Input.codes(3, 10_001), Input.between(0.1, 1, 3, 40), Input.codes(3, 10_001), Input.between(0.1, 1, 3, 40),
            rates, Input.scalar(0.5f))
        .add("attention", new CausalAttention(4, 2, 16), q, k, k, Input.starts(40, 110))
        .add("attention's gradient", new CausalAttentionGradient(4, 2, 16), q, k, k, Input.starts(40, 110), q,
            Input.between(2, 4, 150, 4), q)
        .add("LoRA", new LoraLinear(2), Input.f32(130, 300), Input.f32(130, 257), Input.f32(16, 257),
            Input.f32(300, 16))
        .add("NF4", new Nf4Linear(weight), nf4(130, 257, weight))
        .add("NF4, one token", new Nf4Linear(weight), nf4(1, 257, weight))
        .add("NF4's gradient", new Nf4LinearGradient(weight), nf4(130, 300, weight))
        .add("head and loss", new LinearCrossEntropy(true, true), Input.f32(150, 65), Input.f32(1003, 65),
            Input.labels(1003, 150));
  }

  private static List<Input> nf4(int n, int width, Nf4Weight weight) {
    List<Input> inputs = new ArrayList<>(List.of(Input.f32(n, width)));
    inputs.addAll(Input.nf4(weight));
    return inputs;
  }

  @TestFactory
  Stream<DynamicNode> bitsDoNotDependOnThreads() {
    TreeMap<String, CaseList> lists = new TreeMap<>(CaseCatalogue.all());
    lists.put("large", large());
    return lists.entrySet().stream().map(entry -> dynamicContainer(entry.getKey(), entry.getValue().cases().stream()
        .filter(CpuThreadsTest::supported).map(sample -> dynamicTest(sample.name(), () -> check(sample)))));
  }

  private static boolean supported(CaseList.Case sample) {
    return CpuKernels.supports(sample.op(), sample.types(),
        sample.op().infer(sample.types()), 1) instanceof Support.Native;
  }

  private static void check(CaseList.Case sample) {
    List<Tensor> expected = results(sample, 1);
    assertTrue(!expected.isEmpty());
    for (int threads : THREADS) {
      List<Tensor> actual = results(sample, threads);
      for (int i = 0; i < expected.size(); i++) {
        assertEquals(-1, expected.get(i).data().mismatch(actual.get(i).data()),
            "first byte of output " + i + " that differs with " + threads + " threads");
      }
    }
  }

  private static List<Tensor> results(CaseList.Case sample, int threads) {
    try (CpuBackend backend = new CpuBackend(threads); Session session = backend.open(Long.MAX_VALUE)) {
      return new CaseRun(session, sample).results();
    }
  }
}
