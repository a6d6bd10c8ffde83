package dev.jqlora.engine.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.autodiff.Autodiff;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What a gradient rule cannot give it refuses: a gradient that is left out would be a wrong one. */
class GradientRulesTest {
  private final GraphBuilder builder = new GraphBuilder();

  private Value total(Value value) {
    return builder.apply(new SumTo(Shape.SCALAR), value);
  }

  private void assertRefused(String message, Value loss, Value wanted) {
    IllegalStateException thrown = assertThrows(IllegalStateException.class,
        () -> Autodiff.gradients(builder, loss, List.of(wanted), Map.of()));
    assertEquals(message, thrown.getMessage());
  }

  @Test
  void theTablesOfARotationHaveNone() {
    Value x = builder.input("x", TensorType.f32(3, 4));
    Value positions = builder.input("positions", TensorType.i32(3));
    Value cos = builder.input("cos", TensorType.f32(8, 2));
    Value sin = builder.input("sin", TensorType.f32(8, 2));
    Value loss = total(builder.apply(new Rope(4, false), x, positions, cos, sin));
    assertRefused("Rope: the tables have no gradient", loss, cos);
    assertRefused("Rope: the tables have no gradient", loss, sin);
  }

  @Test
  void aCrossEntropyIsDifferentiatedByItsLossAlone() {
    Value x = builder.input("x", TensorType.f32(3, 4));
    Value w = builder.input("w", TensorType.f32(5, 4));
    Value labels = builder.input("labels", TensorType.i32(3));
    List<Value> outputs = builder.applyAll(new LinearCrossEntropy(true, true), List.of(x, w, labels));
    for (Value output : outputs.subList(1, 4)) {
      Value loss = builder.apply(new Add(), outputs.getFirst(), total(output));
      assertRefused("LinearCrossEntropy: differentiate by the loss, not by its other outputs", loss, x);
    }
    Nf4Weight weight = new Nf4Weight(5, 4, 32, false);
    List<Value> tensors = weight.types().stream().map(type -> builder.input("w", type)).toList();
    List<Value> quantized = builder.applyAll(new Nf4LinearCrossEntropy(weight, true),
        List.of(x, tensors.get(0), tensors.get(1), labels));
    assertRefused("Nf4LinearCrossEntropy: differentiate by the loss, not by its other outputs",
        builder.apply(new Add(), quantized.getFirst(), total(quantized.getLast())), x);
  }

  /** Where a is transposed, its gradient has b on the left, where no F16 may stand. */
  @Test
  void aFactorInF16HasTheGradientOfOneInF32() {
    for (boolean transposeB : new boolean[]{false, true}) {
      List<double[]> gradients = Stream.of(DType.F32, DType.F16).map(dtype -> {
        GraphBuilder graph = new GraphBuilder();
        Value a = graph.input("a", TensorType.f32(3, 2));
        Value b = graph.input("b", new TensorType(dtype, transposeB ? Shape.of(2, 3) : Shape.of(3, 2)));
        Value c = graph.apply(new MatMul(true, transposeB), a, b);
        Value loss = graph.apply(new SumTo(Shape.SCALAR), graph.apply(new Multiply(), c, c));
        List<Value> da = Autodiff.gradients(graph, loss, List.of(a), Map.of());
        return new Interpreter().run(graph.build(da), List.of(new Array64(a.type(), new double[]{1, -2, 3, 4, 0.5, 6}),
            new Array64(b.type(), new double[]{2, 1, -1, 0.25, 3, 5}))).getFirst().data();
      }).toList();
      assertArrayEquals(gradients.get(0), gradients.get(1));
    }
  }
}
