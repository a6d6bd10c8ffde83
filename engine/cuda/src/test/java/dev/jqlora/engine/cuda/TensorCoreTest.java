package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** NF4 products in bfloat16, each access checked. */
class TensorCoreTest {
  /** Two factors rounded to 8 bits each, and sums whose terms cancel to a tenth of what they would be. */
  private static final Tolerance BF16 = Tolerance.ofLargest(1e-2, "factors rounded to bfloat16");

  private static CaseList.Case sample(int rows, int out, int in, int blockSize, boolean nested) {
    Nf4Weight weight = new Nf4Weight(out, in, blockSize, nested);
    List<Input> inputs = new ArrayList<>(List.of(Input.f32(rows, in)));
    inputs.addAll(Input.nf4(weight));
    return new CaseList().add("product", new Nf4Linear(weight), inputs).cases().getFirst();
  }

  private static Tensor run(CaseList.Case sample, Precision precision) {
    TestDriver.use();
    try (CudaBackend backend = new CudaBackend(precision); Session session = backend.open(Long.MAX_VALUE)) {
      return new CaseRun(session, sample).results().getFirst();
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 8, 32, 32, false", "40, 70, 64, 64, true", "64, 64, 128, 64, true", "70, 130, 96, 32, false",
      "129, 65, 192, 64, true"})
  void productsAreThoseOfFloat64ToTheirRounding(int rows, int out, int in, int blockSize, boolean nested) {
    CaseList.Case sample = sample(rows, out, in, blockSize, nested);
    try (ReferenceBackend reference = new ReferenceBackend(); Session session = reference.open(Long.MAX_VALUE)) {
      Tensor expected = new CaseRun(session, sample).results().getFirst();
      Tensor rounded = run(sample, Precision.BF16);
      BF16.check("y", Array64.of(expected), Array64.of(rounded));
      assertTrue(expected.data().mismatch(rounded.data()) >= 0, "nothing was rounded: tensor cores were not used");
    }
  }

  @Test
  void shapesThatTensorCoresDoNotTakeStayInFloat32() {
    CaseList.Case sample = sample(5, 7, 33, 64, true);
    assertTrue(run(sample, Precision.FLOAT32).data().mismatch(run(sample, Precision.BF16).data()) < 0);
  }
}
