package dev.jqlora.engine.cuda;

import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;
import static dev.jqlora.engine.testkit.Input.nf4;
import static dev.jqlora.engine.testkit.Input.scalar;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.op.AdamW;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.CacheWrite;
import dev.jqlora.engine.op.DoubleQuantize;
import dev.jqlora.engine.op.Embedding;
import dev.jqlora.engine.op.EmbeddingGradient;
import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4LoraLinear;
import dev.jqlora.engine.op.Nf4Quantize;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.op.RmsNorm;
import dev.jqlora.engine.op.RmsNormWeightGradient;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.op.SwiGlu;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** An extent of 0 is legal: nothing is launched for it, and a sum without terms is 0. */
class EmptyTensorTest {
  private static final CaseList CASES = new CaseList()
      .tolerance(DType.F32, Tolerance.ofLargest(1e-2, "factors rounded to bfloat16"));

  static {
    add("no elements to add", new Add(), f32(0, 5), f32(0, 5));
    add("none to scale", new Scale(2), f32(3, 0));
    add("none to fill", new Fill(TensorType.f32(0), 3));
    add("SwiGLU of no rows", new SwiGlu(), f32(0, 8), f32(0, 8));
    add("sum of nothing", new SumOfSquares(), f32(0));
    add("norm of no rows", new RmsNorm(1e-5f), f32(0, 8), f32(8));
    add("norm's weight of no rows", new RmsNormWeightGradient(1e-5f), f32(0, 8), f32(0, 8));
    add("no tokens", new Embedding(), f32(5, 8), ids(5, 0));
    add("gradient of no tokens", new EmbeddingGradient(5), ids(5, 0), f32(0, 8));
    add("nothing to write to a cache", new CacheWrite(), f32(4, 8), f32(0, 8), scalar(0));
    for (MatMul op : List.of(MatMul.NT, MatMul.NN, MatMul.TN)) {
      for (int[] extents : new int[][]{{0, 8, 12}, {8, 0, 12}, {1, 0, 12}, {8, 12, 0}, {1, 12, 0}}) {
        addProduct(op, extents[0], extents[1], extents[2]);
      }
    }
    add("no products", MatMul.NN, f32(0, 4, 8), f32(0, 8, 12));
    add("products of nothing in bfloat16", MatMul.NT.giving(DType.BF16), Input.bf16(3, 0), f32(8, 0));
    add("adapter of no rank", new LoraLinear(2), f32(3, 8), f32(3, 4), f32(0, 4), f32(8, 0));
    for (boolean gradients : new boolean[]{false, true}) {
      add("loss of no tokens", new LinearCrossEntropy(gradients, gradients), f32(0, 8), f32(12, 8), ints());
      add("loss of no columns", new LinearCrossEntropy(gradients, gradients), f32(3, 0), f32(12, 0), ints(3, -100, 0));
    }
    add("ids of no rows", new LinearArgMax(), f32(0, 8), f32(12, 8));
    Nf4Weight adapted = new Nf4Weight(32, 64, 64, false);
    addNf4("NF4, adapter of no rank", new Nf4LoraLinear(adapted, 2), f32(3, 64), adapted, f32(3, 64), f32(0, 64),
        f32(32, 0));
    for (int[] extents : new int[][]{{0, 64, 32}, {3, 0, 32}, {1, 0, 32}, {3, 64, 0}}) {
      Nf4Weight weight = new Nf4Weight(extents[2], extents[1], 64, false);
      // Planned as its parts where a sum has no terms.
      addNf4("NF4 with an adapter", new Nf4LoraLinear(weight, 2), f32(extents[0], extents[1]), weight,
          f32(extents[0], extents[1]), f32(4, extents[1]), f32(extents[2], 4));
      addNf4("NF4", new Nf4Linear(weight), f32(extents[0], extents[1]), weight);
      addNf4("NF4, gradient", new Nf4LinearGradient(weight), f32(extents[0], extents[2]), weight);
    }
    add("nothing to quantize", new Nf4Quantize(64), f32(0));
    add("no scales to quantize", new DoubleQuantize(), f32(0));
    add("an update of nothing", new AdamW(0.9, 0.99, 1e-8), f32(0), f32(0), f32(0), f32(0), floats(-1e-2f, 0.5f, 1),
        scalar(1f));
    add("an update of nothing in 8 bits", new AdamW8bit(2, 0.9, 0.99, 1e-8), f32(2, 0), f32(2, 0), Input.codes(2, 0),
        f32(2, 0), Input.codes(2, 0), f32(2, 0), floats(-1e-2f, 0.5f, 1), scalar(1f));
  }

  private static void add(String name, Op op, Input... inputs) {
    CASES.add(name, op, inputs);
  }

  private static void addProduct(MatMul op, int m, int k, int n) {
    add("product %d x %d x %d".formatted(m, k, n), op, op.transposeA() ? f32(k, m) : f32(m, k),
        op.transposeB() ? f32(n, k) : f32(k, n));
  }

  private static void addNf4(String name, Op op, Input x, Nf4Weight weight, Input... others) {
    List<Input> inputs = new ArrayList<>(List.of(x));
    inputs.addAll(nf4(weight));
    inputs.addAll(List.of(others));
    CASES.add("%s [%d, %d]".formatted(name, weight.out(), weight.in()), op, inputs);
  }

  private static List<CaseList.Case> cases() {
    return CASES.cases();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void inFloat32(CaseList.Case sample) {
    check(Precision.FLOAT32, sample);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void onTensorCores(CaseList.Case sample) {
    check(Precision.BF16, sample);
  }

  private static void check(Precision precision, CaseList.Case sample) {
    TestDriver.use();
    try (CudaBackend backend = new CudaBackend(precision); Session session = backend.open(Long.MAX_VALUE)) {
      new CaseRun(session, sample).check(CASES);
    }
  }
}
