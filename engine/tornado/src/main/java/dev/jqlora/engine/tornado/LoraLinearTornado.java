package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** Two {@link Products}, the second added to the base. */
final class LoraLinearTornado implements TornadoKernel<LoraLinear> {
  @Override
  public Class<LoraLinear> op() {
    return LoraLinear.class;
  }

  /** Wants memory for the first product. */
  @Override
  public Support supports(LoraLinear op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(TensorType.f32(inputs.get(1).shape().dim(0), inputs.get(2).shape().dim(0)).bytes());
  }

  @Override
  public void emit(LoraLinear op, Launch launch) {
    int n = launch.type(1).shape().dim(0);
    int in = launch.type(1).shape().dim(1);
    int rank = launch.type(2).shape().dim(0);
    int out = launch.type(3).shape().dim(0);
    int u = launch.scratch();
    Products.emit(launch, new Products.Size(1, n, rank, in),
        new Products.Matrix(1, launch.at(1), Products.Layout.plain(in)),
        new Products.Matrix(2, launch.at(2), Products.Layout.transposed(in)), u, launch.at(u), Products.Sum.NONE);
    Products.emit(launch, new Products.Size(1, n, out, rank),
        new Products.Matrix(u, launch.at(u), Products.Layout.plain(rank)),
        new Products.Matrix(3, launch.at(3), Products.Layout.transposed(rank)), launch.out(0), launch.at(launch.out(0)),
        new Products.Sum(op.scale(), 0, launch.at(0)));
  }
}
