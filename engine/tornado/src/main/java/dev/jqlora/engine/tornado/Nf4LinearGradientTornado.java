package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Nf4LinearGradient;

/** {@link Products}, with the weight decoded tile by tile in local memory. */
final class Nf4LinearGradientTornado implements TornadoKernel<Nf4LinearGradient> {
  @Override
  public Class<Nf4LinearGradient> op() {
    return Nf4LinearGradient.class;
  }

  @Override
  public void emit(Nf4LinearGradient op, Launch launch) {
    Products.emitNf4(launch, op.weight(), false, launch.type(0).shape().dim(0), launch.at(0), launch.at(launch.out(0)));
  }
}
