package dev.jqlora.engine.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.op.Nf4LinearCrossEntropy;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class InterpreterTest {
  private static final Nf4Weight WEIGHT = new Nf4Weight(5, 2, 32, false);

  @Test
  void inputsThatAreMissingAreMissed() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.input("x", TensorType.f32(2));
    builder.input("y", TensorType.f32(2));
    Graph graph = builder.build(List.of(x));
    Array64 array = Array64.zeros(x.type());
    for (int given : new int[]{1, 3}) {
      assertEquals("graph has 2 inputs, got " + given, assertThrows(IllegalArgumentException.class,
          () -> new Interpreter().run(graph, List.of(array, array, array).subList(0, given))).getMessage());
    }
  }

  private static double loss(Op op, List<TensorType> weight, int label) {
    GraphBuilder builder = new GraphBuilder();
    List<TensorType> types = new ArrayList<>(List.of(TensorType.f32(1, 2)));
    types.addAll(weight);
    types.add(TensorType.i32(1));
    List<Value> values = types.stream().map(type -> builder.input("input", type)).toList();
    List<Array64> inputs = new ArrayList<>(types.stream().map(Array64::zeros).toList());
    inputs.getLast().data()[0] = label;
    return new Interpreter().run(builder.build(builder.applyAll(op, values)), inputs).getFirst().data()[0];
  }

  @Test
  void aNegativeLabelIsIgnoredAndOneBeyondTheVocabularyRefused() {
    check(new LinearCrossEntropy(true, true), List.of(TensorType.f32(5, 2)));
    check(new Nf4LinearCrossEntropy(WEIGHT, true), WEIGHT.types());
  }

  private static void check(Op op, List<TensorType> weight) {
    assertEquals(0, loss(op, weight, -1));
    assertEquals(0, loss(op, weight, LinearCrossEntropy.IGNORED));
    assertEquals(Math.log(5), loss(op, weight, 4), 1e-12);
    assertEquals("label 5 is not among the 5 ids",
        assertThrows(IllegalArgumentException.class, () -> loss(op, weight, 5)).getMessage());
  }
}
