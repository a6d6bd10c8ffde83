package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.tensor.Shape;

/** {@link Products}. */
final class MatMulTornado implements TornadoKernel<MatMul> {
  @Override
  public Class<MatMul> op() {
    return MatMul.class;
  }

  @Override
  public void emit(MatMul op, Launch launch) {
    Shape a = launch.type(0).shape();
    Shape c = launch.type(2).shape();
    int m = c.dim(-2);
    int n = c.dim(-1);
    int k = a.dim(op.transposeA() ? -2 : -1);
    int batches = (int) (c.elements() / Math.max(1, (long) m * n));
    Products.emit(launch, new Products.Size(batches, m, n, k),
        new Products.Matrix(0, launch.at(0),
            op.transposeA() ? Products.Layout.transposed(m) : Products.Layout.plain(k)),
        new Products.Matrix(1, launch.at(1),
            op.transposeB() ? Products.Layout.transposed(k) : Products.Layout.plain(n)),
        2, launch.at(2), Products.Sum.NONE);
  }
}
