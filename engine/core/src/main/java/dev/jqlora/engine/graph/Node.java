package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * One application of an op.
 *
 * @param scope where in the model it stands, such as {@code layer/attn/q}; empty at the top
 */
public record Node(Op op, List<Value> inputs, List<Value> outputs, String scope) {
  public Node {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }

  public List<TensorType> inputTypes() {
    return types(inputs);
  }

  public List<TensorType> outputTypes() {
    return types(outputs);
  }

  /** The name that errors, memory rows and timings show. */
  public String label() {
    return scope.isEmpty() ? op.name() : scope + "/" + op.name();
  }

  public static List<TensorType> types(List<Value> values) {
    return values.stream().map(Value::type).toList();
  }
}
