package dev.jqlora.engine.testkit;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.reference.Interpreter;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Compares gradients with central differences of fourth order, in float64 and along random directions. */
public final class GradientCheck {
  private static final int DIRECTIONS = 3;
  private static final double STEP = 1e-5;
  /** The differences err by the order of STEP⁴ and of 1e-16 / STEP, both far below. */
  private static final double TOLERANCE = 1e-6;

  private GradientCheck() {}

  /**
   * Throws AssertionError where a gradient is not the derivative of the loss.
   *
   * @param graph its outputs are the loss, then the gradient by each wanted input
   * @param wanted indices of inputs of the graph
   */
  public static void check(Graph graph, List<Array64> inputs, List<Integer> wanted) {
    List<Array64> outputs = new Interpreter().run(graph, inputs);
    Graph loss = new Graph(graph.inputs(), graph.nodes(), graph.outputs().subList(0, 1));
    Random random = new Random(42);
    for (int i = 0; i < wanted.size(); i++) {
      int input = wanted.get(i);
      double[] gradient = outputs.get(1 + i).data();
      for (int k = 0; k < DIRECTIONS; k++) {
        double[] direction = random.doubles(gradient.length, -1, 1).toArray();
        double expected = (8 * difference(loss, inputs, input, direction, STEP)
            - difference(loss, inputs, input, direction, 2 * STEP)) / (12 * STEP);
        double actual = 0;
        double scale = 1e-3;
        for (int j = 0; j < gradient.length; j++) {
          actual += gradient[j] * direction[j];
          scale += Math.abs(gradient[j] * direction[j]);
        }
        if (!(Math.abs(actual - expected) <= TOLERANCE * scale)) {
          throw new AssertionError("gradient by input %d (%s): the rule gives %g along a direction, differences %g"
              .formatted(input, graph.inputs().get(input).name(), actual, expected));
        }
      }
    }
  }

  private static double difference(Graph graph, List<Array64> inputs, int input, double[] direction, double step) {
    return loss(graph, inputs, input, direction, step) - loss(graph, inputs, input, direction, -step);
  }

  private static double loss(Graph graph, List<Array64> inputs, int input, double[] direction, double step) {
    List<Array64> moved = new ArrayList<>(inputs);
    Array64 there = Array64.zeros(inputs.get(input).type());
    for (int i = 0; i < direction.length; i++) {
      there.data()[i] = inputs.get(input).data()[i] + step * direction[i];
    }
    moved.set(input, there);
    return new Interpreter().run(graph, moved).getFirst().data()[0];
  }
}
