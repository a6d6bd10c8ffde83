package dev.jqlora.engine.tornado;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Heads whose rows have their logits a few at a time. */
class LogitsTest {
  private static final Tolerance SUMS = Tolerance.ofLargest(4e-6, "sums over the vocabulary of rounded exponentials");
  private static final int VOCAB = 16;
  private static final int BLOCK = 4;
  private static final TornadoBackend BACKEND = new TornadoBackend(new TornadoKernels(BLOCK * VOCAB));

  @AfterAll
  static void close() {
    BACKEND.close();
  }

  private static CaseList.Case sample(Op op, Input... inputs) {
    return new CaseList.Case(op.name(), op, List.of(inputs), List.of());
  }

  private static CaseList.Case loss(int rows) {
    return sample(new LinearCrossEntropy(true, true), Input.f32(rows, 8), Input.f32(VOCAB, 8),
        Input.labels(VOCAB, rows));
  }

  private static List<Tensor> results(Backend backend, CaseList.Case sample) {
    try (Session session = backend.open(Long.MAX_VALUE)) {
      return new CaseRun(session, sample).results();
    }
  }

  /** 76 blocks have 304 tasks, and TornadoVM's tables end at 256. */
  @Test
  void aHeadMayHaveMoreTasksThanAGraph() {
    CaseList.Case sample = loss(75 * BLOCK + 1);
    List<Tensor> expected = results(new ReferenceBackend(), sample);
    List<Tensor> results = results(BACKEND, sample);
    for (int i = 0; i < expected.size(); i++) {
      SUMS.check("output " + i, Array64.of(expected.get(i)), Array64.of(results.get(i)));
    }
  }

  /** In a loop each graph of the head counts the iterations for itself. */
  @Test
  void aHeadOfSeveralGraphsRunsInALoop() {
    try (Session session = BACKEND.open(Long.MAX_VALUE)) {
      new CaseRun(session, loss(13 * BLOCK + 2)).check(new CaseList().tolerance(DType.F32, SUMS));
      assertTrue(((TornadoSession) session).kernels() > 3 * 13 * 4);
    }
  }

  @Test
  void aRowWithoutANumberHasTheFirstIdAsTheReferenceHas() {
    Tensor x = Tensor.of(TensorType.f32(6, 1), Float.NaN, 1, Float.NEGATIVE_INFINITY, -1, Float.NaN, 2);
    Tensor w = Tensor.of(TensorType.f32(VOCAB, 1), 1, 2, 3, 4, 5, 6, 7, 8, 16, 15, 14, 13, 12, 11, 10, 9);
    CaseList.Case sample = sample(new LinearArgMax(), new Input(x.type(), _ -> x), new Input(w.type(), _ -> w));
    float[] expected = {0, 8, 0, 0, 0, 8};
    assertArrayEquals(expected, results(new ReferenceBackend(), sample).getFirst().toFloats());
    assertArrayEquals(expected, results(BACKEND, sample).getFirst().toFloats());
  }

  @Test
  void moreTasksThanTornadoVmTakesAreRefused() {
    GraphWriter writer = new GraphWriter("full", new Object[0], List.of(), List.of());
    for (int i = 0; i < GraphWriter.MOST_TASKS; i++) {
      writer.groups(1);
    }
    IllegalStateException refused = assertThrows(IllegalStateException.class, () -> writer.groups(1));
    assertEquals("full: more than 256 tasks for one task graph", refused.getMessage());
  }
}
