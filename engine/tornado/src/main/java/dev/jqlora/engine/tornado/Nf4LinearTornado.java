package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Nf4Linear;

/** {@link Products}, with the weight decoded tile by tile in local memory. */
final class Nf4LinearTornado implements TornadoKernel<Nf4Linear> {
  @Override
  public Class<Nf4Linear> op() {
    return Nf4Linear.class;
  }

  @Override
  public void emit(Nf4Linear op, Launch launch) {
    Products.emitNf4(launch, op.weight(), true, launch.type(0).shape().dim(0), launch.at(0), launch.at(launch.out(0)));
  }
}
