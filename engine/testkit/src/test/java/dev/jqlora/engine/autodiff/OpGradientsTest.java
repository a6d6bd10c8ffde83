package dev.jqlora.engine.autodiff;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.SumTo;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.GradientCheck;
import dev.jqlora.engine.testkit.Samples;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every gradient rule against differences, and the rule of each composite op against its decomposition's gradient. */
class OpGradientsTest {
  @TestFactory
  Stream<DynamicNode> rulesAgreeWithDifferences() {
    return each((list, sample) -> {
      Graph graph = lossAndGradients(list, sample, false);
      GradientCheck.check(graph, inputs(graph, sample), sample.differentiable());
    }, false);
  }

  @TestFactory
  Stream<DynamicNode> rulesOfCompositesAgreeWithTheirDecomposition() {
    return each((list, sample) -> {
      Graph rule = lossAndGradients(list, sample, false);
      Graph decomposed = lossAndGradients(list, sample, true);
      List<Array64> expected = new Interpreter().run(decomposed, inputs(decomposed, sample));
      List<Array64> actual = new Interpreter().run(rule, inputs(rule, sample));
      for (int i = 0; i < expected.size(); i++) {
        Tolerance.ofLargest(1e-9, "float64").check(i == 0 ? "loss" : "gradient " + i, expected.get(i), actual.get(i));
      }
    }, true);
  }

  @Test
  void enoughRulesAreChecked() {
    long ops = CaseCatalogue.all().values().stream()
        .filter(list -> list.cases().stream().anyMatch(sample -> !sample.differentiable().isEmpty())).count();
    assertTrue(ops >= 27, () -> "only " + ops);
  }

  @Test
  void everyRuleIsChecked() {
    CaseCatalogue.all().forEach((op, list) -> {
      boolean rule = list.cases().getFirst().op() instanceof Differentiable;
      boolean checked = list.cases().stream().anyMatch(sample -> !sample.differentiable().isEmpty());
      assertTrue(checked || !rule || op.equals("Cast") || op.equals("MaxLast"),
          op + " has a gradient, but no case says by which inputs to check it");
    });
  }

  @FunctionalInterface
  private interface Check {
    void check(CaseList list, CaseList.Case sample);
  }

  private static Stream<DynamicNode> each(Check check, boolean compositesWithRules) {
    return CaseCatalogue.all().entrySet().stream().map(entry -> dynamicContainer(entry.getKey(),
        entry.getValue().cases().stream()
            .filter(sample -> !sample.differentiable().isEmpty() && (!compositesWithRules
                || sample.op() instanceof Composite && sample.op() instanceof Differentiable))
            .map(sample -> dynamicTest(sample.name(), () -> check.check(entry.getValue(), sample)))));
  }

  /** The loss is a sum of outputs with random weights, which are inputs of the graph behind those of the op. */
  private static Graph lossAndGradients(CaseList list, CaseList.Case sample, boolean decompose) {
    GraphBuilder builder = new GraphBuilder();
    List<Value> inputs = sample.types().stream().map(type -> builder.input("input", type)).toList();
    List<Value> outputs = decompose && sample.op() instanceof Composite op
        ? op.decompose(builder, inputs)
        : builder.applyAll(sample.op(), inputs);
    Value loss = list.lossOutputs().stream().map(outputs::get).map(output -> {
      Value weights = builder.input("weights", output.type());
      return builder.apply(new SumTo(Shape.SCALAR), builder.apply(new Multiply(), output, weights));
    }).reduce((sum, more) -> builder.apply(new Add(), sum, more)).orElseThrow();
    List<Value> results = new ArrayList<>(List.of(loss));
    results.addAll(
        Autodiff.gradients(builder, loss, sample.differentiable().stream().map(inputs::get).toList(), Map.of()));
    return builder.build(results);
  }

  private static List<Array64> inputs(Graph graph, CaseList.Case sample) {
    List<Array64> inputs = new ArrayList<>(sample.make().stream().map(Array64::of).toList());
    Samples samples = new Samples(11);
    graph.inputs().subList(inputs.size(), graph.inputs().size())
        .forEach(input -> inputs.add(Array64.of(samples.uniform(input.type(), 0.5, 1.5))));
    return inputs;
  }
}
