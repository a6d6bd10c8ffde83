package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Head}; {@code linear_cross_entropy.cu} makes loss and gradient of logits. */
final class LinearCrossEntropyCuda implements CudaKernel<LinearCrossEntropy> {
  private final LogitsBlock block;

  LinearCrossEntropyCuda() {
    this(LogitsBlock.ORDINARY);
  }

  /** @param block the rows whose logits exist at once */
  LinearCrossEntropyCuda(LogitsBlock block) {
    this.block = block;
  }

  @Override
  public Class<LinearCrossEntropy> op() {
    return LinearCrossEntropy.class;
  }

  @Override
  public Support supports(LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(block.bytes(inputs.get(0), inputs.get(1).shape().dim(0)));
  }

  @Override
  public void enqueue(LinearCrossEntropy op, Call call) {
    long dx = op.inputGradient() ? call.out(2) : 0;
    long dw = op.weightGradient() ? call.outputs().getLast().address() : 0;
    Head.of(call, block).crossEntropy(call.in(2), call.out(0), call.out(1), dx, dw);
  }
}
