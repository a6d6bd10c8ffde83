package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Two skinny products, the second added to the base in place; by {@link Gemv} for the one row of a token being generated. */
final class LoraLinearCpu implements CpuKernel<LoraLinear> {
  @Override
  public Class<LoraLinear> op() {
    return LoraLinear.class;
  }

  /** Scratch memory: {@code x · aᵀ}, and what the products need. */
  private record Memory(MemorySegment u, MemorySegment products) {
    static Memory of(ScratchParts parts, TensorType x, TensorType a, int threads) {
      int n = x.shape().dim(0);
      int rank = a.shape().dim(0);
      MemorySegment u = parts.floats((long) n * rank);
      return new Memory(u, n == 1
          ? MemorySegment.NULL
          : parts.bytes(Math.max(Gemm.scratchBytes(n, x.shape().last(), threads),
              Gemm.scratchBytes(n, rank, threads))));
    }
  }

  @Override
  public long scratchBytes(LoraLinear op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    ScratchParts parts = ScratchParts.counting();
    Memory.of(parts, inputs.get(1), inputs.get(2), threads);
    return parts.bytes();
  }

  @Override
  public void run(LoraLinear op, Call call) {
    Tensor x = call.input(1);
    MatrixSource a = MatrixSource.of(call.input(2));
    MatrixSource b = MatrixSource.of(call.input(3));
    Memory memory = Memory.of(ScratchParts.of(call.scratch()), x.type(), call.input(2).type(),
        call.workers().threads());
    int n = x.type().shape().dim(0);
    if (n == 1) {
      Gemv.multiply(call.workers(), a, x.data(), memory.u);
      call.copyThrough(0, 0);
      Gemv.multiply(call.workers(), b, memory.u, op.scale(), true, call.out(0));
      return;
    }
    Tensor u = new Tensor(TensorType.f32(n, a.rows()), memory.u);
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(x)), Gemm.Operand.transposed(a), 1, false, u.data(),
        memory.products);
    call.copyThrough(0, 0);
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(u)), Gemm.Operand.transposed(b), op.scale(), true,
        call.out(0), memory.products);
  }
}
