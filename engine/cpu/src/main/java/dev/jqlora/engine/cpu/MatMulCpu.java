package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Gemm}, once for each matrix of the leading axes; {@link Gemv} for the one row of a token being generated. */
final class MatMulCpu implements CpuKernel<MatMul> {
  @Override
  public Class<MatMul> op() {
    return MatMul.class;
  }

  @Override
  public long scratchBytes(MatMul op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    Shape a = inputs.getFirst().shape();
    return isVector(op, a)
        ? 0
        : Gemm.scratchBytes(outputs.getFirst().shape().dim(-2), a.dim(op.transposeA() ? -2 : -1), threads);
  }

  private static boolean isVector(MatMul op, Shape a) {
    return op.equals(MatMul.NT) && a.rank() == 2 && a.dim(0) == 1;
  }

  @Override
  public void run(MatMul op, Call call) {
    Shape a = call.input(0).type().shape();
    Shape b = call.input(1).type().shape();
    Shape c = call.output(0).type().shape();
    long batches = c.elements() == 0 ? 0 : c.elements() / ((long) c.dim(-2) * c.dim(-1));
    if (isVector(op, a)) {
      Gemv.multiply(call.workers(), MatrixSource.of(call.input(1)), call.in(0), call.out(0));
      return;
    }
    for (long batch = 0; batch < batches; batch++) {
      call.gemm().multiply(operand(call.input(0), a, batch, op.transposeA()),
          operand(call.input(1), b, batch, op.transposeB()), 1, false,
          matrix(call.output(0), c, batch).data(), call.scratch());
    }
  }

  private static Gemm.Operand operand(Tensor tensor, Shape shape, long batch, boolean transposed) {
    return new Gemm.Operand(MatrixSource.of(matrix(tensor, shape, batch)), transposed);
  }

  private static Tensor matrix(Tensor tensor, Shape shape, long batch) {
    TensorType type = tensor.type().withShape(Shape.of(shape.dim(-2), shape.dim(-1)));
    return new Tensor(type, tensor.data().asSlice(batch * type.bytes(), type.bytes()));
  }
}
