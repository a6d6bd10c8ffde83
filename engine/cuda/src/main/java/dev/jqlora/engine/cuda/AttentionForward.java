package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.CudaKernel.Call;
import dev.jqlora.engine.tensor.DType;
import java.util.stream.Stream;

/** Kernels of {@code attention.cuh} and {@code attention_mma.cuh}, for queries, keys and values that are a call's first inputs. */
final class AttentionForward {
  /** Queries that a block works on in float32. */
  private static final int QUERIES = 16;
  static final int THREADS = 128;

  private AttentionForward() {}

  /**
   * Puts into the stream the kernel of a file that fits the head and the precision.
   *
   * @param lengths what the kernel takes between the first four inputs and the head's extents
   * @param results what it takes last
   */
  static void launch(Call call, String file, int heads, int kvHeads, int headDim, Object[] lengths, Object... results) {
    int tokens = call.output(0).dim(0);
    boolean storesBf16 = call.input(0).type().dtype() == DType.BF16;
    boolean tensorCores = storesBf16
        || tokens > 1 && TensorCores.takeHeads(call, headDim, call.in(0), call.in(1), call.in(2));
    String kernel = file + (storesBf16 ? "_mma_bf16_" : tensorCores ? "_mma_" : "_") + Operands.compiledHead(headDim);
    Grid grid = tensorCores ? TensorCores.heads(tokens, heads) : Grid.of(Math.ceilDiv(tokens, QUERIES), heads);
    Object[] inputs = {call.in(0), call.in(1), call.in(2), call.in(3)};
    Object[] head = {heads, kvHeads, headDim, Operands.scoreFactor(headDim)};
    Object[] arguments = Stream.of(inputs, lengths, head, results).flatMap(Stream::of).toArray();
    call.launcher().launch(file, kernel, grid, THREADS, arguments);
  }
}
