package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4LinearCrossEntropy;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Head} with a weight of codes. */
final class Nf4LinearCrossEntropyCuda implements CudaKernel<Nf4LinearCrossEntropy> {
  private final LogitsBlock block;

  Nf4LinearCrossEntropyCuda() {
    this(LogitsBlock.ORDINARY);
  }

  /** @param block the rows whose logits exist at once */
  Nf4LinearCrossEntropyCuda(LogitsBlock block) {
    this.block = block;
  }

  @Override
  public Class<Nf4LinearCrossEntropy> op() {
    return Nf4LinearCrossEntropy.class;
  }

  @Override
  public Support supports(Nf4LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(block.bytes(inputs.get(0), op.weight().out()));
  }

  @Override
  public void enqueue(Nf4LinearCrossEntropy op, Call call) {
    Head.of(call, op.weight(), block).crossEntropy(call.inputs().getLast().address(), call.out(0), call.out(1),
        op.inputGradient() ? call.out(2) : 0, 0);
  }
}
