package dev.jqlora.engine.pass;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Writes out every Repeat as its iterations, one after the other: the meaning of Repeat in plain ops. */
public final class Unroll {
  private Unroll() {}

  public static Graph all(Graph graph) {
    GraphBuilder builder = new GraphBuilder();
    Map<Value, Value> placed = new HashMap<>();
    for (Value input : graph.inputs()) {
      placed.put(input, builder.input(input.name(), input.type()));
    }
    for (Node node : graph.nodes()) {
      List<Value> arguments = node.inputs().stream().map(placed::get).toList();
      List<Value> outputs = node.op() instanceof Repeat repeat
          ? unroll(builder, repeat, arguments)
          : builder.copy(node, arguments);
      for (int i = 0; i < outputs.size(); i++) {
        placed.put(node.outputs().get(i), outputs.get(i));
      }
    }
    return builder.build(graph.outputs().stream().map(placed::get).toList());
  }

  private static List<Value> unroll(GraphBuilder builder, Repeat repeat, List<Value> inputs) {
    int carriedCount = repeat.carried();
    List<Value> carried = new ArrayList<>(inputs.subList(0, carriedCount));
    List<Value> stacked = inputs.subList(carriedCount, carriedCount + repeat.stacked());
    List<Value> shared = inputs.subList(carriedCount + repeat.stacked(), inputs.size());
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
      for (Value value : stacked) {
        Value slice = builder.apply(new Slice(0, index, 1), value);
        arguments.add(builder.apply(new Reshape(value.type().shape().slice()), slice));
      }
      arguments.addAll(shared);
      List<Value> results = builder.inline(body, arguments);
      carried = new ArrayList<>(results.subList(0, carriedCount));
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
