package dev.jqlora.bench.peers;

import dev.jqlora.bench.Contender;
import dev.jqlora.bench.Peer;
import dev.jqlora.bench.Task;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.JCuda;
import jcuda.runtime.cudaMemcpyKind;

/**
 * A product with its operands in the GPU's memory, sums and result in float32. Factors that are to be in bfloat16 are rounded
 * once, before the time is taken: it reads half the bytes of a kernel that rounds what it reads.
 */
final class CublasContender implements Contender {
  private static final Pointer ONE = Pointer.to(new float[]{1});
  private static final Pointer ZERO = Pointer.to(new float[]{0});

  private final cublasHandle handle;
  private final CublasGemm gemm;
  private final int factors;
  private final TensorType type;
  private final List<Pointer> memory = new ArrayList<>();
  private final Pointer a;
  private final Pointer b;
  private final Pointer c;

  CublasContender(cublasHandle handle, Task.Product task, Peer.Inputs inputs, DType rounded) {
    this.handle = handle;
    gemm = CublasGemm.of(task);
    factors = rounded == DType.BF16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_32F;
    type = TensorType.f32(task.m(), task.n());
    try {
      a = copy(inputs, "a", rounded);
      b = copy(inputs, "b", rounded);
      c = allocate(type.bytes());
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private Pointer allocate(long bytes) {
    Pointer pointer = new Pointer();
    JCuda.cudaMalloc(pointer, bytes);
    memory.add(pointer);
    return pointer;
  }

  private Pointer copy(Peer.Inputs inputs, String name, DType rounded) {
    try (Arena arena = Arena.ofConfined()) {
      Tensor given = inputs.get(name, arena);
      Tensor factor = Tensor.allocate(arena, new TensorType(rounded, given.type().shape()));
      for (long i = 0; i < given.type().elements(); i++) {
        factor.set(i, given.get(i));
      }
      Pointer there = allocate(factor.type().bytes());
      JCuda.cudaMemcpy(there, Pointer.to(factor.data().asByteBuffer()), factor.type().bytes(),
          cudaMemcpyKind.cudaMemcpyHostToDevice);
      return there;
    }
  }

  @Override
  public void run() {
    JCublas2.cublasGemmEx_new(handle,
        gemm.transposesFirst() ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N, cublasOperation.CUBLAS_OP_N,
        gemm.m(), gemm.n(), gemm.k(), ONE, b, factors, gemm.first(), a, factors, gemm.second(), ZERO, c,
        cudaDataType.CUDA_R_32F, gemm.result(), cublasComputeType.CUBLAS_COMPUTE_32F,
        cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
    JCuda.cudaDeviceSynchronize();
  }

  @Override
  public Map<String, Tensor> results() {
    Tensor result = Tensor.allocate(Arena.ofAuto(), type);
    JCuda.cudaMemcpy(Pointer.to(result.data().asByteBuffer()), c, type.bytes(), cudaMemcpyKind.cudaMemcpyDeviceToHost);
    return Map.of("c", result);
  }

  @Override
  public void close() {
    memory.forEach(JCuda::cudaFree);
    memory.clear();
  }
}
