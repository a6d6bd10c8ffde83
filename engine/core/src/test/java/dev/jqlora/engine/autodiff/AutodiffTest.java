package dev.jqlora.engine.autodiff;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.op.SumTo;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Gradients that are added to what is there. */
class AutodiffTest {
  private static final TensorType TYPE = TensorType.f32(2);

  private final GraphBuilder builder = new GraphBuilder();
  private final Value x = builder.input("x", TYPE);
  private final Value sum = builder.input("sum", TYPE);
  private final Value twice = builder.apply(new Scale(2), x);
  private final Value loss = builder.apply(new SumTo(Shape.SCALAR), builder.apply(new Multiply(), twice, x));

  private List<Value> gradients(List<Value> wanted, Map<Value, Value> accumulated) {
    return Autodiff.gradients(builder, loss, wanted, accumulated);
  }

  @Test
  void aGradientIsAddedToWhatIsThere() {
    List<Value> gradients = gradients(List.of(x), Map.of(x, sum));
    List<Array64> results = new Interpreter().run(builder.build(gradients),
        List.of(new Array64(TYPE, new double[]{3, -1}), new Array64(TYPE, new double[]{100, 200})));
    assertArrayEquals(new double[]{112, 196}, results.getFirst().data());
  }

  /** Else the sum would flow on into the gradient by x. */
  @Test
  void theGradientByAComputedValueIsNotAccumulated() {
    IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class,
        () -> gradients(List.of(x, twice), Map.of(twice, sum)));
    assertEquals("the gradient by %2:f32[2] cannot be accumulated: Scale computes it", thrown.getMessage());
  }

  @Test
  void aSumOfAnotherTypeIsRefused() {
    IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class,
        () -> gradients(List.of(x), Map.of(x, loss)));
    assertEquals("the gradient by x, f32[2], cannot be added to f32[]", thrown.getMessage());
  }
}
