package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;

/** A tensor of the reference interpreter: float64 elements, whatever element type they stand for. */
public record Array64(TensorType type, double[] data) {
  public Array64 {
    if (data.length != type.elements()) {
      throw new IllegalArgumentException(type + " has not " + data.length + " elements");
    }
  }

  public static Array64 zeros(TensorType type) {
    return new Array64(type, new double[Math.toIntExact(type.elements())]);
  }

  public static Array64 of(Tensor tensor) {
    Array64 array = zeros(tensor.type());
    for (int i = 0; i < array.data.length; i++) {
      array.data[i] = tensor.get(i);
    }
    return array;
  }

  /** Stores the elements into memory, rounded to the tensor's element type. */
  public void copyTo(Tensor tensor) {
    for (int i = 0; i < data.length; i++) {
      tensor.set(i, data[i]);
    }
  }

  public Shape shape() {
    return type.shape();
  }

  public Array64 map(DoubleUnaryOperator function) {
    Array64 result = zeros(type);
    for (int i = 0; i < data.length; i++) {
      result.data[i] = function.applyAsDouble(data[i]);
    }
    return result;
  }

  /** Elementwise with NumPy's broadcasting; the result type is given. */
  public Array64 combine(Array64 other, TensorType result, DoubleBinaryOperator function) {
    Array64 combined = zeros(result);
    Broadcast left = Broadcast.of(shape(), result.shape());
    Broadcast right = Broadcast.of(other.shape(), result.shape());
    for (int i = 0; i < combined.data.length; i++) {
      combined.data[i] = function.applyAsDouble(data[left.source(i)], other.data[right.source(i)]);
    }
    return combined;
  }
}
