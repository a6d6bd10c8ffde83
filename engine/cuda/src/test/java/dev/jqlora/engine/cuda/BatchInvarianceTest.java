package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4LoraLinear;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;
import dev.jqlora.engine.testkit.Input;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A token's result is the same to the bit, whatever else is in the batch. */
class BatchInvarianceTest {
  private static final int[] LENGTHS = {5, 60, 33};
  private static final int LAST = 33;

  private static List<Tensor> run(Precision precision, Op op, List<Tensor> tensors) {
    List<Input> inputs = tensors.stream().map(tensor -> new Input(tensor.type(), _ -> tensor)).toList();
    TestDriver.use();
    try (CudaBackend backend = new CudaBackend(precision); Session session = backend.open(Long.MAX_VALUE)) {
      return new CaseRun(session, new CaseList().add("batch", op, inputs).cases().getFirst()).results();
    }
  }

  private static List<Tensor> make(List<Input> inputs) {
    return new CaseList().add("batch", new CausalAttention(1, 1, 1), inputs).cases().getFirst().make();
  }

  /** The last rows of a matrix. */
  private static Tensor last(Tensor matrix) {
    TensorType type = TensorType.f32(LAST, matrix.type().shape().dim(1));
    return new Tensor(type, matrix.data().asSlice(matrix.type().bytes() - type.bytes(), type.bytes()));
  }

  private static void assertSame(List<Tensor> alone, List<Tensor> batch) {
    for (int i = 0; i < alone.size(); i++) {
      assertEquals(-1, alone.get(i).data().mismatch(last(batch.get(i)).data()), "output " + i);
    }
  }

  @ParameterizedTest
  @EnumSource
  void productsOfRows(Precision precision) {
    Nf4Weight weight = new Nf4Weight(70, 96, 64, true);
    List<Tensor> tensors = make(Stream.concat(Stream.of(Input.f32(98, 96)), Input.nf4(weight).stream()).toList());
    List<Tensor> own = new ArrayList<>(tensors);
    own.set(0, last(tensors.getFirst()));
    assertSame(run(precision, new Nf4Linear(weight), own), run(precision, new Nf4Linear(weight), tensors));
  }

  @ParameterizedTest
  @EnumSource
  void productsOfRowsWithAnAdapter(Precision precision) {
    Nf4Weight weight = new Nf4Weight(72, 96, 64, true);
    List<Input> inputs = new ArrayList<>(List.of(Input.f32(98, 96)));
    inputs.addAll(Input.nf4(weight));
    inputs.addAll(List.of(Input.f32(98, 96), Input.f32(8, 96), Input.f32(72, 8)));
    List<Tensor> tensors = make(inputs);
    List<Tensor> own = new ArrayList<>(tensors);
    int z = 1 + weight.inputs();
    own.set(0, last(tensors.getFirst()));
    own.set(z, last(tensors.get(z)));
    Nf4LoraLinear op = new Nf4LoraLinear(weight, 2);
    assertSame(run(precision, op, own), run(precision, op, tensors));
  }

  @ParameterizedTest
  @EnumSource
  void attentionOfASequence(Precision precision) {
    Input kv = Input.between(-2, 2, 98, 36);
    List<Tensor> tensors = make(List.of(Input.between(-2, 2, 98, 72), kv, kv, Input.starts(LENGTHS)));
    List<Tensor> own = new ArrayList<>(tensors.subList(0, 3).stream().map(BatchInvarianceTest::last).toList());
    own.addAll(make(List.of(Input.starts(LAST))));
    CausalAttention op = new CausalAttention(2, 1, 36);
    assertSame(run(precision, op, own), run(precision, op, tensors));
  }
}
