package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4Quantize;

/** {@code nf4_quantize.cu}: a warp a block of codes. */
final class Nf4QuantizeCuda implements CudaKernel<Nf4Quantize> {
  private static final long WARP = 32;

  @Override
  public Class<Nf4Quantize> op() {
    return Nf4Quantize.class;
  }

  @Override
  public void enqueue(Nf4Quantize op, Call call) {
    long blocks = call.output(1).type().elements();
    call.launch("nf4_quantize", "nf4_quantize_" + Operands.suffix(call.input(0)), Grid.covering(blocks * WARP),
        call.in(0), call.input(0).type().elements(), Integer.numberOfTrailingZeros(op.blockSize()), call.out(0),
        call.out(1));
  }
}
