package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The elements in another type, rounded to nearest even; between F32, BF16 and F16, and from I32 or U8 to F32. */
public record Cast(DType dtype) implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    TensorType x = inputs.getFirst();
    ShapeException.check(dtype.isFloat() && (x.dtype().isFloat() || dtype == DType.F32), "Cast: no cast from %s to %s",
        x, dtype);
    return List.of(new TensorType(dtype, x.shape()));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 cast = Array64.zeros(outputs.getFirst());
    for (int i = 0; i < cast.data().length; i++) {
      double x = inputs.getFirst().data()[i];
      cast.data()[i] = switch (dtype) {
        case F32 -> x;
        case BF16 -> BFloat16.toFloat(BFloat16.fromFloat((float) x));
        case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) x));
        case I32, U8 -> throw new IllegalStateException();
      };
    }
    return List.of(cast);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(gradient.builder().apply(new Cast(gradient.input(0).type().dtype()), gradient.of(0)));
  }

  @Override
  public boolean cheap() {
    return true;
  }
}
