package dev.jqlora.engine.pass;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Concat;
import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.op.Slice;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;

/** Writes out every Repeat as its iterations, one after the other: the meaning of Repeat in plain ops. */
public final class Unroll {
  private Unroll() {}

  public static Graph all(Graph graph) {
    return Rewrite.each(graph, (builder, node, placed) -> {
      List<Value> inputs = placed.apply(node.inputs());
      return node.op() instanceof Repeat repeat ? unroll(builder, repeat, inputs) : builder.copy(node, inputs);
    });
  }

  private static List<Value> unroll(GraphBuilder builder, Repeat repeat, List<Value> inputs) {
    int carriedCount = repeat.carried();
    List<Value> carried = repeat.carriedOf(inputs);
    Graph body = all(repeat.body());
    List<Value[]> slices = new ArrayList<>();
    for (int i = carriedCount; i < body.outputs().size(); i++) {
      slices.add(new Value[repeat.count()]);
    }
    for (int step = 0; step < repeat.count(); step++) {
      int index = repeat.reverse() ? repeat.count() - 1 - step : step;
      List<Value> arguments = new ArrayList<>();
      arguments.add(builder.apply(new Fill(new TensorType(DType.I32, Shape.SCALAR), index)));
      arguments.addAll(carried);
      for (Value value : repeat.stackedOf(inputs)) {
        Value slice = builder.apply(new Slice(0, index, 1), value);
        arguments.add(builder.apply(new Reshape(value.type().shape().slice()), slice));
      }
      arguments.addAll(repeat.sharedOf(inputs));
      List<Value> results = builder.inline(body, arguments);
      carried = results.subList(0, carriedCount);
      for (int i = 0; i < slices.size(); i++) {
        Value slice = results.get(carriedCount + i);
        slices.get(i)[index] = builder.apply(new Reshape(slice.type().shape().stacked(1)), slice);
      }
    }
    List<Value> outputs = new ArrayList<>(carried);
    for (Value[] parts : slices) {
      outputs.add(builder.apply(new Concat(0, parts.length), parts));
    }
    return outputs;
  }
}
