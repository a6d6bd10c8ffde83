package dev.jqlora.engine.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.autodiff.Autodiff;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Dropout;
import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.op.MixedPrecision;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.op.SumTo;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.Samples;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products with NF4 weights and their adapters, fused where there are kernels for that and nowhere else. */
class LoraFusionTest {
  private static final int WIDTH = 32;
  private static final int RANK = 4;
  private static final Nf4Weight WEIGHT = new Nf4Weight(WIDTH, WIDTH, 32, false);

  /** Two projections of one x and the sum of the squares of both, with the gradients by x and the adapters. */
  private static Graph graph(boolean dropout, DType activations) {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.input("x", new TensorType(activations, Shape.of(5, WIDTH)));
    Value seed = builder.input("seed", TensorType.i32());
    List<Value> wanted = new ArrayList<>(List.of(x));
    List<Value> losses = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      List<Value> product = new ArrayList<>(List.of(x));
      WEIGHT.types().forEach(type -> product.add(builder.input("w", type)));
      Value a = builder.input("a", TensorType.f32(RANK, WIDTH));
      Value b = builder.input("b", TensorType.f32(WIDTH, RANK));
      Value base = builder.applyAll(new Nf4Linear(WEIGHT), product).getFirst();
      Value z = dropout ? builder.apply(new Dropout(0.5f, i), x, seed, seed) : x;
      Value y = MixedPrecision.cast(builder, builder.apply(new LoraLinear(2), base, z, a, b), DType.F32);
      losses.add(builder.apply(new SumTo(Shape.SCALAR), builder.apply(new Multiply(), y, y)));
      wanted.addAll(List.of(a, b));
    }
    Value loss = builder.apply(new Add(), losses.get(0), losses.get(1));
    return builder.build(Autodiff.gradients(builder, loss, wanted, Map.of()));
  }

  private static long count(Graph graph, String op) {
    return graph.nodes().stream().filter(node -> node.op().name().equals(op)).count();
  }

  private static Graph lowered(Graph graph, boolean kernels) {
    return Lowering.lower(graph, (op, _, _) -> !kernels && op.name().startsWith("Nf4Lora")
        ? new Support.Unsupported("no kernel")
        : Support.NATIVE).graph();
  }

  /** In BF16 but for the rounding between two products, of the largest number at most. */
  private static void assertSameNumbers(Graph graph, Graph fused, DType activations) {
    List<Array64> inputs = new Samples(3).inputsOf(graph);
    List<Array64> expected = new Interpreter().run(graph, inputs);
    List<Array64> actual = new Interpreter().run(fused, inputs);
    for (int i = 0; i < expected.size(); i++) {
      double[] numbers = expected.get(i).data();
      double allowed = activations == DType.F32
          ? 1e-12
          : 0x1p-6 * Arrays.stream(numbers).map(Math::abs).max().orElseThrow();
      assertArrayEquals(numbers, actual.get(i).data(), allowed, "gradient " + i);
    }
  }

  /** The forward products serve the gradient; the first input gradient has no other to be added to, the second has. */
  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void bothProductsAndBothInputGradientsBecomeOneOpEach(DType activations) {
    Graph graph = graph(false, activations);
    Graph fused = lowered(graph, true);
    assertEquals(2, count(fused, "Nf4LoraLinear"), fused::dump);
    assertEquals(2, count(fused, "Nf4LoraLinearGradient"), fused::dump);
    for (String op : List.of("Nf4Linear", "LoraLinear", "Nf4LinearGradient")) {
      assertEquals(0, count(fused, op), fused::dump);
    }
    assertEquals(count(graph, "Add") - 3, count(fused, "Add"), fused::dump);
    assertSameNumbers(graph, fused, activations);
  }

  /** Then the adapter's input gradient goes through the mask first. */
  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void withDropoutOnlyTheForwardProductsAreFused(DType activations) {
    Graph graph = graph(true, activations);
    Graph fused = lowered(graph, true);
    assertEquals(2, count(fused, "Nf4LoraLinear"), fused::dump);
    assertEquals(0, count(fused, "Nf4LoraLinearGradient"), fused::dump);
    assertEquals(2, count(fused, "Nf4LinearGradient"), fused::dump);
    assertSameNumbers(graph, fused, activations);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void withoutKernelsNothingChanges(DType activations) {
    Graph graph = graph(false, activations);
    assertEquals(graph.dump(), lowered(graph, false).dump());
  }

  /** LoraLinear may have another input than the base, of another width; the fused op has one width. */
  @Test
  void anAdapterOfAnotherWidthIsNotFused() {
    GraphBuilder builder = new GraphBuilder();
    List<Value> product = new ArrayList<>(List.of(builder.input("x", TensorType.f32(5, WIDTH))));
    WEIGHT.types().forEach(type -> product.add(builder.input("w", type)));
    Value base = builder.applyAll(new Nf4Linear(WEIGHT), product).getFirst();
    Value y = builder.apply(new LoraLinear(2), base, builder.input("z", TensorType.f32(5, 2 * WIDTH)),
        builder.input("a", TensorType.f32(RANK, 2 * WIDTH)), builder.input("b", TensorType.f32(WIDTH, RANK)));
    Graph graph = builder.build(List.of(y));
    assertEquals(graph.dump(), lowered(graph, true).dump());
  }

  @Test
  void theBodyOfARepeatIsFusedToo() {
    GraphBuilder builder = new GraphBuilder();
    List<Value> shared = new ArrayList<>();
    WEIGHT.types().forEach(type -> shared.add(builder.input("w", type)));
    shared.add(builder.input("a", TensorType.f32(RANK, WIDTH)));
    shared.add(builder.input("b", TensorType.f32(WIDTH, RANK)));
    Value x = builder.input("x", TensorType.f32(5, WIDTH));
    List<Value> outputs = Repeat.apply(builder, 3, SavePolicy.NOTHING, List.of(x), List.of(), shared,
        (body, _, carried, _, weights) -> {
          Value h = carried.getFirst();
          Value base = body.apply(new Nf4Linear(WEIGHT), h, weights.get(0), weights.get(1));
          return new Repeat.Result(List.of(body.apply(new LoraLinear(1), base, h, weights.get(2), weights.get(3))),
              List.of());
        });
    Graph fused = lowered(builder.build(outputs), true);
    assertEquals(List.of("Nf4LoraLinear"),
        ((Repeat) fused.nodes().getFirst().op()).body().nodes().stream().map(node -> node.op().name()).toList());
  }
}
