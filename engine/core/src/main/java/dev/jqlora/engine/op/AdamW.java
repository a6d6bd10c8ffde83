package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * One step of AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101) with F32 moments: with {@code g = scale · gradient},
 * {@code m ← β₁m + (1-β₁)g}, {@code v ← β₂v + (1-β₂)g²},
 * {@code p ← decay · p + stepSize · m / (√v / correction + ε)}.
 *
 * <p>Inputs: parameter, gradient, m, v, all F32 and of one shape; rates F32 {@code [3]} holding stepSize
 * {@code = -rate / (1 - β₁ᵗ)}, correction {@code = √(1 - β₂ᵗ)} and decay {@code = 1 - rate · weight decay}; and scale F32
 * scalar, the factor of gradient clipping. Outputs: parameter, m, v.
 */
public record AdamW(double beta1, double beta2, double epsilon) implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 6);
    ShapeException.dtype(name(), "parameter", inputs.getFirst(), DType.F32);
    for (int i = 1; i < 4; i++) {
      ShapeException.check(inputs.get(i).equals(inputs.getFirst()), "AdamW: input %d is %s but the parameter is %s", i,
          inputs.get(i), inputs.getFirst());
    }
    checkRates(name(), inputs.get(4), inputs.get(5));
    return List.of(inputs.get(0), inputs.get(2), inputs.get(3));
  }

  static void checkRates(String op, TensorType rates, TensorType scale) {
    ShapeException.check(rates.equals(TensorType.f32(3)), "%s: rates must be F32 [3], got %s", op, rates);
    ShapeException.check(scale.equals(TensorType.f32()), "%s: scale must be an F32 scalar, got %s", op, scale);
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 p = Array64.zeros(outputs.get(0));
    Array64 m = Array64.zeros(outputs.get(1));
    Array64 v = Array64.zeros(outputs.get(2));
    double[] rates = inputs.get(4).data();
    double scale = inputs.get(5).data()[0];
    for (int i = 0; i < p.data().length; i++) {
      double g = scale * inputs.get(1).data()[i];
      m.data()[i] = beta1 * inputs.get(2).data()[i] + (1 - beta1) * g;
      v.data()[i] = beta2 * inputs.get(3).data()[i] + (1 - beta2) * g * g;
      double update = m.data()[i] / (Math.sqrt(v.data()[i]) / rates[1] + epsilon);
      p.data()[i] = inputs.get(0).data()[i] * rates[2] + rates[0] * update;
    }
    return List.of(p, m, v);
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == (output == 0 ? 0 : output + 1);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(14.0 * inputs.getFirst().elements(), inputs, outputs);
  }
}
