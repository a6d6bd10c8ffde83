package dev.jqlora.training.train;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.AdamW;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.training.config.OptimizerArguments;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The program of an optimizer step: updates the parameters and their moments and sets the gradients to 0. What is stacked is
 * updated layer by layer, so a step of the program uses the moments of one tensor and no more; where these live in pages,
 * that is how many must be on the device at once.
 */
final class OptimizerProgram {
  /** Feed: the factor that clips the gradients. */
  static final String CLIP = "clip";

  private final OptimizerArguments optimizer;
  private final List<Trainable.Group> groups;

  private OptimizerProgram(List<Trainable> trainables, OptimizerArguments optimizer) {
    this.optimizer = optimizer;
    this.groups = trainables.stream().map(Trainable::group).distinct().toList();
  }

  static Program of(List<Trainable> trainables, OptimizerArguments optimizer) {
    return new OptimizerProgram(trainables, optimizer).build(trainables);
  }

  private Program build(List<Trainable> trainables) {
    Program.Builder program = new Program.Builder("optimizer_step");
    List<Value> shared = new ArrayList<>();
    shared.add(program.feed(CLIP, TensorType.f32()));
    groups.forEach(group -> shared.add(program.feed(group.feed(), TensorType.f32(3))));
    Map<Integer, List<Trainable>> stacks = trainables.stream()
        .collect(Collectors.groupingBy(Trainable::count, LinkedHashMap::new, Collectors.toList()));
    stacks.forEach((count, stack) -> {
      Map<String, TensorType> states = new LinkedHashMap<>();
      stack.forEach(trainable -> states.putAll(trainable.updatedStates(optimizer.type())));
      List<Value> values = states.entrySet().stream().map(state -> program.state(state.getKey(), state.getValue()))
          .toList();
      List<Value> updated = count == 1
          ? update(program.graph(), stack, values, shared)
          : Repeat.apply(program.graph(), count, SavePolicy.NOTHING, List.of(), values, shared,
              (graph, _, _, slices, same) -> new Repeat.Result(List.of(), update(graph, stack, slices, same)));
      List<String> names = List.copyOf(states.keySet());
      for (int i = 0; i < names.size(); i++) {
        program.write(names.get(i), updated.get(i));
      }
    });
    return program.build();
  }

  /** Updates one tensor of each kind; returns their states in the order in which they were given. */
  private List<Value> update(GraphBuilder graph, List<Trainable> stack, List<Value> states, List<Value> shared) {
    List<Value> updated = new ArrayList<>();
    for (Trainable trainable : stack) {
      int end = updated.size() + trainable.updatedStates(optimizer.type()).size();
      List<Value> arguments = new ArrayList<>(states.subList(updated.size(), end));
      arguments.add(shared.get(1 + groups.indexOf(trainable.group())));
      arguments.add(shared.getFirst());
      List<Value> results = graph.scope(trainable.state(), () -> trainable.is8bit(optimizer.type())
          ? adamW8bit(graph, arguments)
          : graph.applyAll(new AdamW(optimizer.beta1(), optimizer.beta2(), optimizer.epsilon()), arguments));
      updated.add(results.getFirst());
      updated.add(graph.apply(new Fill(arguments.get(1).type(), 0)));
      updated.addAll(results.subList(1, results.size()));
    }
    return updated;
  }

  /** The op keeps an axis of stacked tensors on absmax, which a slice does not have. */
  private List<Value> adamW8bit(GraphBuilder graph, List<Value> arguments) {
    AdamW8bit op = new AdamW8bit(1, optimizer.beta1(), optimizer.beta2(), optimizer.epsilon());
    Reshape toOp = new Reshape(op.absmaxType(arguments.getFirst().type()).shape());
    Reshape back = new Reshape(arguments.get(3).type().shape());
    arguments.set(3, graph.apply(toOp, arguments.get(3)));
    arguments.set(5, graph.apply(toOp, arguments.get(5)));
    List<Value> results = graph.applyAll(op, arguments);
    return List.of(results.get(0), results.get(1), graph.apply(back, results.get(2)), results.get(3),
        graph.apply(back, results.get(4)));
  }
}
