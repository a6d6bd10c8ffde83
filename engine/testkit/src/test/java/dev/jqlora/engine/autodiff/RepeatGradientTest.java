package dev.jqlora.engine.autodiff;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.op.RmsNorm;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.op.SumTo;
import dev.jqlora.engine.pass.Unroll;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.GradientCheck;
import dev.jqlora.engine.testkit.Samples;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RepeatGradientTest {
  private static final int LAYERS = 3;
  private static final int TOKENS = 5;
  private static final int WIDTH = 8;
  private static final int RANK = 2;
  private static final Set<SavePolicy> EXACT = EnumSet.complementOf(EnumSet.of(SavePolicy.ROUNDED));

  /**
   * A little transformer: frozen stacked weights, stacked LoRA pairs, one norm weight that all layers share and train,
   * and a loss that reads both the last hidden states and a stacked output.
   */
  private static final class Model {
    final GraphBuilder builder = new GraphBuilder();
    final Value x = builder.input("x", TensorType.f32(TOKENS, WIDTH));
    final Value start = builder.input("start", TensorType.i32(TOKENS));
    final Value frozen = builder.input("frozen", TensorType.f32(LAYERS, WIDTH, WIDTH));
    final Value a = builder.input("a", TensorType.f32(LAYERS, RANK, WIDTH));
    final Value b = builder.input("b", TensorType.f32(LAYERS, WIDTH, RANK));
    final Value bias = builder.input("bias", TensorType.f32(LAYERS, WIDTH));
    final Value norm = builder.input("norm", TensorType.f32(WIDTH));
    /** The trainable ones, and their places among the inputs. */
    final List<Value> wanted = List.of(x, a, b, bias, norm);
    final List<Integer> places = List.of(0, 3, 4, 5, 6);
    final Value loss;

    Model(SavePolicy save) {
      List<Value> outputs = Repeat.apply(builder, LAYERS, save, List.of(x), List.of(frozen, a, b, bias),
          List.of(norm, start), Model::layer);
      Value weights = builder.apply(new Fill(TensorType.f32(LAYERS, 1), 0.3));
      Value side = builder.apply(new Multiply(), outputs.get(1), weights);
      loss = builder.apply(new Add(), sumOfSquares(builder, outputs.getFirst()), sumOfSquares(builder, side));
    }

    private static Repeat.Result layer(GraphBuilder body, Value index, List<Value> carried, List<Value> slices,
        List<Value> shared) {
      return body.scope("layer", () -> {
        Value h = carried.getFirst();
        Value normal = body.apply(new RmsNorm(1e-5f), h, shared.getFirst());
        Value base = body.apply(MatMul.NT, normal, slices.getFirst());
        Value q = body.apply(new LoraLinear(0.5f), base, normal, slices.get(1), slices.get(2));
        Value attention = body.apply(new CausalAttention(2, 2, WIDTH / 2), q, normal, normal, shared.get(1));
        Value biased = body.apply(new Add(), attention, slices.get(3));
        Value means = body.apply(new SumTo(Shape.of(WIDTH)), q);
        return new Repeat.Result(List.of(body.apply(new Add(), h, biased)), List.of(means));
      });
    }

    Graph withGradients(Map<Value, Value> accumulated) {
      List<Value> outputs = new ArrayList<>(List.of(loss));
      outputs.addAll(Autodiff.gradients(builder, loss, wanted, accumulated));
      return builder.build(outputs);
    }
  }

  private static Value sumOfSquares(GraphBuilder builder, Value x) {
    return builder.apply(new SumTo(Shape.SCALAR), builder.apply(new Multiply(), x, x));
  }

  private static List<Array64> run(Graph graph) {
    return new Interpreter().run(graph, new Samples(1).inputsOf(graph));
  }

  private static void assertSame(List<Array64> expected, List<Array64> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i).data(), actual.get(i).data(), "output " + i);
    }
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "ROUNDED")
  void agreesWithDifferences(SavePolicy save) {
    Model model = new Model(save);
    Graph graph = model.withGradients(Map.of());
    GradientCheck.check(graph, new Samples(1).inputsOf(graph), model.places);
  }

  @Test
  void isTheSameWhateverIsSaved() {
    List<Array64> expected = run(new Model(SavePolicy.NOTHING).withGradients(Map.of()));
    assertSame(expected, run(new Model(SavePolicy.ATTENTION).withGradients(Map.of())));
    assertSame(expected, run(new Model(SavePolicy.EVERYTHING).withGradients(Map.of())));
  }

  /** The forward pass is exact, half the bytes are saved, and the gradients are near. */
  @Test
  void roundedCarriesChangeTheGradientsAlone() {
    List<Array64> exact = run(new Model(SavePolicy.NOTHING).withGradients(Map.of()));
    List<Array64> rounded = run(new Model(SavePolicy.ROUNDED).withGradients(Map.of()));
    assertArrayEquals(exact.getFirst().data(), rounded.getFirst().data());
    for (int i = 1; i < exact.size(); i++) {
      double[] expected = exact.get(i).data();
      double[] actual = rounded.get(i).data();
      double difference = 0;
      double norm = 0;
      for (int j = 0; j < expected.length; j++) {
        difference += Math.pow(actual[j] - expected[j], 2);
        norm += expected[j] * expected[j];
      }
      double error = Math.sqrt(difference / norm);
      assertTrue(error > 0 && error < 0.02, "relative error of gradient " + i + ": " + error);
    }
    List<TensorType> saved = repeats(SavePolicy.ROUNDED).getFirst().body().outputs().stream().map(Value::type).toList();
    assertEquals(new TensorType(DType.BF16, Shape.of(TOKENS, WIDTH)), saved.getLast());
    assertEquals(savedOutputs(SavePolicy.NOTHING), saved.size());
  }

  /** Where the only carried value that is saved is a BF16 number already, nothing changes at all. */
  @Test
  void valuesThatNeedNoRoundingGiveTheSameGradients() {
    List<List<Array64>> results = new ArrayList<>();
    for (SavePolicy save : List.of(SavePolicy.NOTHING, SavePolicy.ROUNDED)) {
      GraphBuilder builder = new GraphBuilder();
      Value x = builder.input("x", TensorType.f32(4));
      Value w = builder.input("w", TensorType.f32(1, 4));
      Value y = Repeat.apply(builder, 1, save, List.of(builder.apply(new Cast(DType.F32), builder.apply(new Cast(
          DType.BF16), x))), List.of(w), List.of(),
          (body, _, carried, slices, _) -> new Repeat.Result(List.of(body.apply(
              new Multiply(), carried.getFirst(), body.apply(new Multiply(), carried.getFirst(), slices.getFirst()))),
              List.of()))
          .getFirst();
      results.add(run(builder.build(Autodiff.gradients(builder, sumOfSquares(builder, y), List.of(w), Map.of()))));
    }
    assertSame(results.getFirst(), results.getLast());
  }

  @Test
  void policiesSaveMoreAndRecomputeLess() {
    assertEquals(1 + 1, countAttention(SavePolicy.NOTHING));
    assertEquals(1, countAttention(SavePolicy.ATTENTION));
    assertEquals(1, countAttention(SavePolicy.EVERYTHING));
    assertTrue(savedOutputs(SavePolicy.NOTHING) < savedOutputs(SavePolicy.ATTENTION));
    assertTrue(savedOutputs(SavePolicy.ATTENTION) < savedOutputs(SavePolicy.EVERYTHING));
  }

  private static long countAttention(SavePolicy save) {
    return repeats(save).stream().flatMap(repeat -> repeat.body().nodes().stream())
        .filter(node -> node.op() instanceof CausalAttention).count();
  }

  private static int savedOutputs(SavePolicy save) {
    return repeats(save).getFirst().body().outputs().size();
  }

  private static List<Repeat> repeats(SavePolicy save) {
    return new Model(save).withGradients(Map.of()).nodes().stream().map(Node::op).filter(Repeat.class::isInstance)
        .map(Repeat.class::cast).toList();
  }

  /** The norm's output is read by both parts of the backward body, and is computed in each. */
  @Test
  void cheapValuesDoNotWaitForTheGradient() {
    List<Node> nodes = repeats(SavePolicy.NOTHING).getLast().body().nodes();
    List<Integer> norms = IntStream.range(0, nodes.size()).filter(i -> nodes.get(i).op() instanceof RmsNorm).boxed()
        .toList();
    assertEquals(2, norms.size());
    Value first = nodes.get(norms.getFirst()).outputs().getFirst();
    assertTrue(nodes.subList(norms.getLast(), nodes.size()).stream().noneMatch(node -> node.inputs().contains(first)));
    assertEquals(0, repeats(SavePolicy.EVERYTHING).getLast().body().nodes().stream().filter(
        node -> node.op() instanceof RmsNorm).count());
  }

  @ParameterizedTest
  @EnumSource
  void accumulatorsAreAddedToInsideTheLoop(SavePolicy save) {
    Model model = new Model(save);
    List<Array64> plain = run(new Model(save).withGradients(Map.of()));
    Value sumA = model.builder.input("sum of a", model.a.type());
    Value sumNorm = model.builder.input("sum of norm", model.norm.type());
    Graph graph = model.withGradients(Map.of(model.a, sumA, model.norm, sumNorm));
    List<Array64> inputs = new Samples(1).inputsOf(graph);
    List<Array64> summed = new Interpreter().run(graph, inputs);
    for (int i = 0; i < plain.size(); i++) {
      double[] expected = plain.get(i).data().clone();
      for (int j = 0; j < expected.length && (i == 2 || i == 5); j++) {
        expected[j] += inputs.get(i == 2 ? 7 : 8).data()[j];
      }
      assertArrayEquals(expected, summed.get(i).data(), 1e-12, "output " + i);
    }
    assertTrue(graph.nodes().stream().noneMatch(
        node -> node.op() instanceof Add && (node.inputs().contains(sumA) || node.inputs().contains(sumNorm))));
  }

  @ParameterizedTest
  @EnumSource
  void unrolledIsExactlyTheSame(SavePolicy save) {
    Graph graph = new Model(save).withGradients(Map.of());
    Graph unrolled = Unroll.all(graph);
    assertTrue(unrolled.nodes().stream().noneMatch(node -> node.op() instanceof Repeat));
    assertSame(run(graph), run(unrolled));
  }

  @Test
  void gradientOfTheUnrolledForwardIsTheSame() {
    Model model = new Model(SavePolicy.NOTHING);
    Graph forward = Unroll.all(model.builder.build(List.of(model.loss)));
    GraphBuilder builder = new GraphBuilder();
    List<Value> inputs = forward.inputs().stream().map(value -> builder.input(value.name(), value.type())).toList();
    List<Value> outputs = new ArrayList<>(builder.inline(forward, inputs));
    outputs.addAll(Autodiff.gradients(builder, outputs.getFirst(), model.places.stream().map(inputs::get).toList(),
        Map.of()));
    List<Array64> unrolled = run(builder.build(outputs));
    List<Array64> repeated = run(model.withGradients(Map.of()));
    for (int i = 0; i < unrolled.size(); i++) {
      assertArrayEquals(unrolled.get(i).data(), repeated.get(i).data(), 1e-11, "output " + i);
    }
  }

  /** A body over three carried values, one slice and one shared value, all {@code [4]}. */
  private static void checkBody(BiFunction<GraphBuilder, List<Value>, Repeat.Result> body) {
    for (SavePolicy save : EXACT) {
      GraphBuilder builder = new GraphBuilder();
      List<Value> inputs = new ArrayList<>();
      for (String name : List.of("a", "b", "c")) {
        inputs.add(builder.input(name, TensorType.f32(4)));
      }
      inputs.add(builder.input("slices", TensorType.f32(LAYERS, 4)));
      inputs.add(builder.input("shared", TensorType.f32(4)));
      List<Value> outputs = Repeat.apply(builder, LAYERS, save, inputs.subList(0, 3), inputs.subList(3, 4),
          inputs.subList(4, 5), (inner, _, carried, slices, shared) -> {
            List<Value> all = new ArrayList<>(carried);
            all.addAll(slices);
            all.addAll(shared);
            return body.apply(inner, all);
          });
      Value loss = outputs.stream().map(value -> sumOfSquares(builder, value))
          .reduce((sum, more) -> builder.apply(new Add(), sum, more)).orElseThrow();
      List<Value> results = new ArrayList<>(List.of(loss));
      results.addAll(Autodiff.gradients(builder, loss, inputs, Map.of()));
      Graph graph = builder.build(results);
      GradientCheck.check(graph, new Samples(3).inputsOf(graph), List.of(0, 1, 2, 3, 4));
      assertSame(run(graph), run(Unroll.all(graph)));
    }
  }

  @Test
  void carriedValueHandedOnUnchanged() {
    checkBody((body, in) -> new Repeat.Result(
        List.of(in.get(0), body.apply(new Multiply(), in.get(0), in.get(1)),
            body.apply(new Add(), in.get(2), in.get(3))),
        List.of()));
  }

  /** The gradient by b is then exactly the gradient of a's next value: one carried value becomes another. */
  @Test
  void gradientOfOneCarriedValueBecomesThatOfAnother() {
    checkBody((body, in) -> new Repeat.Result(
        List.of(body.apply(new Add(), in.get(0), in.get(1)), body.apply(new Scale(0.5f), in.get(3)),
            body.apply(new Multiply(), in.get(2), in.get(4))),
        List.of()));
  }

  @Test
  void carriedValuesThatChangePlaces() {
    checkBody((body, in) -> new Repeat.Result(
        List.of(body.apply(new Reshape(Shape.of(4)), in.get(1)), body.apply(new Reshape(Shape.of(4)), in.get(2)),
            body.apply(new Add(), in.get(0), in.get(3))),
        List.of(in.get(4), in.get(0))));
  }

  @Test
  void sliceAndSharedValueHandedToStackedOutputs() {
    checkBody((body, in) -> new Repeat.Result(
        List.of(body.apply(new Multiply(), in.get(0), in.get(4)), in.get(1), body.apply(new Scale(2), in.get(2))),
        List.of(in.get(3), in.get(3), in.get(4), in.get(2))));
  }

  @Test
  void carriedValueThatStartsConstantStillCarriesGradient() {
    GraphBuilder builder = new GraphBuilder();
    Value slices = builder.input("slices", TensorType.f32(LAYERS, 4));
    Value zero = builder.apply(new Fill(TensorType.f32(4), 0.25));
    Value sum = Repeat.apply(builder, LAYERS, SavePolicy.NOTHING, List.of(zero), List.of(slices), List.of(),
        (body, _, carried, parts, _) -> {
          Value product = body.apply(new Multiply(), carried.getFirst(), parts.getFirst());
          return new Repeat.Result(List.of(body.apply(new Add(), product, parts.getFirst())), List.of());
        }).getFirst();
    Value loss = sumOfSquares(builder, sum);
    Graph graph = builder.build(List.of(loss,
        Autodiff.gradients(builder, loss, List.of(slices), Map.of()).getFirst()));
    GradientCheck.check(graph, new Samples(4).inputsOf(graph), List.of(0));
  }

  @Test
  void oneParameterInSeveralPlacesOfOneRepeatAndInTwoRepeats() {
    GraphBuilder builder = new GraphBuilder();
    Value w = builder.input("w", TensorType.f32(4));
    Value stack = builder.input("stack", TensorType.f32(LAYERS, 4));
    Value h = w;
    for (int i = 0; i < 2; i++) {
      h = Repeat.apply(builder, LAYERS, SavePolicy.NOTHING, List.of(h, w), List.of(stack, stack), List.of(w, w),
          (body, _, carried, parts, shared) -> {
            Value first = body.apply(new Multiply(), carried.get(0), parts.get(0));
            Value second = body.apply(new Multiply(), carried.get(1), shared.get(0));
            Value third = body.apply(new Multiply(), parts.get(1), shared.get(1));
            return new Repeat.Result(
                List.of(body.apply(new Add(), first, second), body.apply(new Add(), second, third)), List.of());
          }).getFirst();
    }
    Value loss = sumOfSquares(builder, h);
    List<Value> outputs = new ArrayList<>(List.of(loss));
    outputs.addAll(Autodiff.gradients(builder, loss, List.of(w, stack), Map.of()));
    Graph graph = builder.build(outputs);
    GradientCheck.check(graph, new Samples(5).inputsOf(graph), List.of(0, 1));
  }

  @Test
  void repeatWithinRepeat() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.input("x", TensorType.f32(4));
    Value weights = builder.input("weights", TensorType.f32(2, LAYERS, 4));
    Value scale = builder.input("scale", TensorType.f32(4));
    for (SavePolicy save : EXACT) {
      List<Value> out = Repeat.apply(builder, 2, save, List.of(x), List.of(weights), List.of(scale),
          (outer, _, carried, parts, shared) -> {
            List<Value> inner = Repeat.apply(outer, LAYERS, save, carried, parts, shared,
                (body, _, h, w, s) -> {
                  Value product = body.apply(new Multiply(), h.getFirst(), w.getFirst());
                  Value next = body.apply(new Add(), product, s.getFirst());
                  return new Repeat.Result(List.of(next), List.of(product));
                });
            return new Repeat.Result(inner.subList(0, 1), inner.subList(1, 2));
          });
      Value loss = builder.apply(new Add(), sumOfSquares(builder, out.get(0)), sumOfSquares(builder, out.get(1)));
      List<Value> outputs = new ArrayList<>(List.of(loss));
      outputs.addAll(Autodiff.gradients(builder, loss, List.of(x, weights, scale), Map.of()));
      Graph graph = builder.build(outputs);
      GradientCheck.check(graph, new Samples(6).inputsOf(graph), List.of(0, 1, 2));
      assertSame(run(graph), run(Unroll.all(graph)));
    }
  }

  @Test
  void lossThatDoesNotReadAParameterGivesZeros() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.input("x", TensorType.f32(4));
    Value unread = builder.input("unread", TensorType.f32(2, 3));
    Value loss = sumOfSquares(builder, x);
    Graph graph = builder.build(Autodiff.gradients(builder, loss, List.of(unread), Map.of()));
    assertArrayEquals(new double[6], run(graph).getFirst().data());
  }

  @Test
  void weightStoredIn16BitsCannotBeTrained() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.input("x", TensorType.f32(2, 3));
    Value w = builder.input("w", new TensorType(DType.BF16, Shape.of(4, 3)));
    Value loss = sumOfSquares(builder, builder.scope("head", () -> builder.apply(MatMul.NT, x, w)));
    assertEquals("head/MatMul: the gradient by input 1 is f32[4, 3] but the input is bf16[4, 3]; train it in F32",
        assertThrows(IllegalStateException.class, () -> Autodiff.gradients(builder, loss, List.of(w), Map.of()))
            .getMessage());
  }
}
