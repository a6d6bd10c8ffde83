package dev.jqlora.engine.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.jqlora.engine.autodiff.Autodiff;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Lowering;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.Samples;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Activations in BF16: what ops mean then, their gradients, and backends that store them in F32. */
class MixedPrecisionTest {
  private static final int TOKENS = 3;
  private static final int WIDTH = 8;
  private static final int LAYERS = 2;
  private static final Capabilities IN_FLOAT32 = (op, inputs, _) -> MixedPrecision.storesBf16(op, inputs)
      ? new Support.Unsupported("no")
      : Support.NATIVE;

  /** Layers of a norm, a frozen product and its adapter, with a residual sum; the loss, and its gradients by the adapters. */
  private static Graph network(DType activations, SavePolicy save) {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.input("x", TensorType.f32(TOKENS, WIDTH));
    Value norm = builder.input("norm", TensorType.f32(LAYERS, WIDTH));
    Value w = builder.input("w", new TensorType(DType.BF16, Shape.of(LAYERS, WIDTH, WIDTH)));
    Value a = builder.input("a", TensorType.f32(LAYERS, 2, WIDTH));
    Value b = builder.input("b", TensorType.f32(LAYERS, WIDTH, 2));
    Value last = Repeat.apply(builder, LAYERS, save, List.of(x), List.of(norm, w, a, b), List.of(),
        (body, _, carried, slices, _) -> {
          Value h = body.apply(new RmsNorm(1e-5f, activations), carried.getFirst(), slices.get(0));
          Value base = body.apply(MatMul.NT.giving(activations), h, slices.get(1));
          Value y = body.apply(new LoraLinear(2), base, h, slices.get(2), slices.get(3));
          return new Repeat.Result(List.of(body.apply(new Add(), carried.getFirst(), body.apply(new SwiGlu(), y, h))),
              List.of());
        }).getFirst();
    Value loss = builder.apply(new SumTo(Shape.SCALAR), builder.apply(new Multiply(), last, last));
    List<Value> gradients = Autodiff.gradients(builder, loss, List.of(a, b), Map.of());
    return builder.build(List.of(loss, gradients.get(0), gradients.get(1)));
  }

  private static List<Array64> results(Graph graph) {
    return new Interpreter().run(graph, new Samples(5).inputsOf(graph));
  }

  @ParameterizedTest
  @EnumSource(SavePolicy.class)
  void gradientsOfActivationsAreStoredAsTheyAreAndThoseOfParametersInF32(SavePolicy save) {
    Graph graph = network(DType.BF16, save);
    List<Node> backward = ((Repeat) graph.nodes().stream().filter(node -> node.op() instanceof Repeat).toList()
        .getLast().op()).body().nodes();
    assertEquals(List.of(DType.BF16, DType.BF16), backward.stream().filter(node -> node.op() instanceof SwiGluGradient)
        .flatMap(node -> node.outputTypes().stream()).map(TensorType::dtype).toList());
    assertEquals(List.of(DType.F32, DType.F32, DType.F32),
        graph.outputs().stream().map(value -> value.type().dtype()).toList());
    List<Array64> exact = results(network(DType.F32, save));
    List<Array64> rounded = results(graph);
    for (int i = 0; i < exact.size(); i++) {
      double[] expected = exact.get(i).data();
      double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
      assertNotEquals(Arrays.toString(expected), Arrays.toString(rounded.get(i).data()));
      assertArrayEquals(expected, rounded.get(i).data(), 0.03 * largest, "output " + i);
    }
  }

  @Test
  void whereABackendStoresThemInF32TheyStandBetweenCasts() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.input("x", new TensorType(DType.BF16, Shape.of(TOKENS, WIDTH)));
    Value w = builder.input("w", new TensorType(DType.BF16, Shape.of(WIDTH, WIDTH)));
    Value y = builder.apply(MatMul.NT.giving(DType.BF16), x, w);
    Graph graph = builder.build(List.of(builder.apply(new SwiGlu(), y, y)));
    Lowering lowering = Lowering.lower(graph, IN_FLOAT32);
    assertEquals(List.of("Cast", "MatMul", "Cast", "Cast", "Cast", "SwiGlu", "Cast"),
        lowering.graph().nodes().stream().map(node -> node.op().name()).toList());
    assertEquals(List.of(DType.F32, DType.BF16), lowering.graph().nodes().get(1).inputTypes().stream()
        .map(TensorType::dtype).toList(), "the weight stays as it is");
    assertArrayEquals(results(graph).getFirst().data(), results(lowering.graph()).getFirst().data());
  }
}
