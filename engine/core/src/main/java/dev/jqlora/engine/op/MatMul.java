package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code c = op(a) · op(b)}, {@code op} transposing the last two axes where asked; leading axes equal. a is F32 or
 * BF16, b is F32, BF16 or F16; the accumulation is F32. A linear layer's weight is {@code [out, in]}, so {@code y = x · Wᵀ}.
 *
 * @param dtype of c: F32 or BF16
 */
public record MatMul(boolean transposeA, boolean transposeB, DType dtype)
    implements
      Primitive,
      Differentiable,
      MixedPrecision {
  /** {@code x · wᵀ} */
  public static final MatMul NT = new MatMul(false, true);
  /** {@code x · w} */
  public static final MatMul NN = new MatMul(false, false);
  /** {@code xᵀ · w} */
  public static final MatMul TN = new MatMul(true, false);

  /** With c in F32. */
  public MatMul(boolean transposeA, boolean transposeB) {
    this(transposeA, transposeB, DType.F32);
  }

  /** The same product with c in an element type. */
  public MatMul giving(DType other) {
    return new MatMul(transposeA, transposeB, other);
  }

  @Override
  public MatMul inFloat32() {
    return giving(DType.F32);
  }

  @Override
  public boolean isActivation(int input) {
    return input == 0;
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    TensorType a = inputs.get(0);
    TensorType b = inputs.get(1);
    MixedPrecision.checkStored(name(), "a", a);
    ShapeException.dtype(name(), "b", b, DType.F32, DType.BF16, DType.F16);
    int rank = a.shape().rank();
    ShapeException.check(rank >= 2 && b.shape().rank() == rank,
        "MatMul: a and b must have equal ranks of at least 2, got %s and %s", a, b);
    ShapeException.check(a.shape().dims().subList(0, rank - 2).equals(b.shape().dims().subList(0, rank - 2)),
        "MatMul: leading axes differ: %s and %s", a, b);
    ShapeException.check(a.shape().dim(transposeA ? -2 : -1) == b.shape().dim(transposeB ? -1 : -2),
        "MatMul: inner extents differ: %s%s and %s%s", a, transposeA ? " transposed" : "", b,
        transposeB ? " transposed" : "");
    List<Integer> dims = new ArrayList<>(a.shape().dims().subList(0, rank - 2));
    dims.add(a.shape().dim(transposeA ? -1 : -2));
    dims.add(b.shape().dim(transposeB ? -2 : -1));
    TensorType c = new TensorType(dtype, new Shape(dims));
    MixedPrecision.checkStored(name(), "c", c);
    return List.of(c);
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 c = Array64.zeros(outputs.getFirst());
    int m = c.shape().dim(-2);
    int n = c.shape().dim(-1);
    int k = inputs.getFirst().shape().dim(transposeA ? -2 : -1);
    for (int batch = 0; batch < c.data().length / Math.max(1, m * n); batch++) {
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          double sum = 0;
          for (int l = 0; l < k; l++) {
            double a = inputs.get(0).data()[batch * m * k + (transposeA ? l * m + i : i * k + l)];
            double b = inputs.get(1).data()[batch * n * k + (transposeB ? j * k + l : l * n + j)];
            sum += a * b;
          }
          c.data()[(batch * m + i) * n + j] = sum;
        }
      }
    }
    return List.of(c);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    Value a = gradient.input(0);
    Value b = gradient.input(1);
    Value dc = gradient.of(0);
    Value da = null;
    if (gradient.needs(0)) {
      // A frozen b may be stored in F16, and only a right operand may be: so dc stands on the left, or b is cast.
      da = transposeA
          ? builder.apply(new MatMul(transposeB, true, a.type().dtype()), b.type().dtype() == DType.F16
              ? builder.apply(new Cast(DType.F32), b)
              : b, dc)
          : builder.apply(new MatMul(false, !transposeB, a.type().dtype()), dc, b);
    }
    Value db = null;
    if (gradient.needs(1)) {
      db = transposeB
          ? builder.apply(new MatMul(true, transposeA), dc, a)
          : builder.apply(new MatMul(!transposeA, false), a, dc);
    }
    return Arrays.asList(da, db);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double inner = inputs.getFirst().shape().dim(transposeA ? -2 : -1);
    return Cost.of(2 * inner * outputs.getFirst().elements(), inputs, outputs);
  }
}
