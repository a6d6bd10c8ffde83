package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** Arithmetic operations (a fused multiply-add is two) and bytes read and written, each once. */
public record Cost(double flops, double bytes) {
  public static Cost move(List<TensorType> inputs, List<TensorType> outputs) {
    return new Cost(0, bytes(inputs) + bytes(outputs));
  }

  public static Cost of(double flops, List<TensorType> inputs, List<TensorType> outputs) {
    return new Cost(flops, bytes(inputs) + bytes(outputs));
  }

  public Cost plus(Cost other) {
    return new Cost(flops + other.flops, bytes + other.bytes);
  }

  public Cost times(double count) {
    return new Cost(flops * count, bytes * count);
  }

  private static double bytes(List<TensorType> types) {
    return types.stream().mapToDouble(TensorType::bytes).sum();
  }
}
