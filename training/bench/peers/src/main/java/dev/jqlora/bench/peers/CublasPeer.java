package dev.jqlora.bench.peers;

import dev.jqlora.bench.Contender;
import dev.jqlora.bench.Peer;
import dev.jqlora.bench.Task;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import jcuda.CudaException;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.runtime.JCuda;
import org.jspecify.annotations.Nullable;

/** NVIDIA's cuBLAS of an installed CUDA 12 toolkit, through JCuda: products on the GPU that the CUDA backend uses. */
public final class CublasPeer implements Peer {
  static final String BACKEND = "cuda";

  private @Nullable cublasHandle handle;
  private String version = "";

  @Override
  public String name() {
    return "cuBLAS " + version;
  }

  @Override
  public boolean isPeerOf(String backend) {
    return backend.equals(BACKEND);
  }

  @Override
  public void open(int threads) {
    try {
      JCuda.setExceptionsEnabled(true);
      JCublas2.setExceptionsEnabled(true);
      cublasHandle made = new cublasHandle();
      JCublas2.cublasCreate(made);
      handle = made;
      int[] number = new int[1];
      JCublas2.cublasGetVersion(made, number);
      version = version(number[0]);
    } catch (UnsatisfiedLinkError e) {
      throw new JqloraException(Kind.BACKEND,
          "cuBLAS cannot be loaded: libcublas.so.12 of a CUDA 12 toolkit must be on LD_LIBRARY_PATH", e);
    } catch (CudaException e) {
      throw new JqloraException(Kind.BACKEND, "cuBLAS does not start: " + e.getMessage(), e);
    }
  }

  /** Such as 12.6.0 for 120600. */
  static String version(int number) {
    return "%d.%d.%d".formatted(number / 10_000, number / 100 % 100, number % 100);
  }

  @Override
  public boolean does(Task task) {
    return task instanceof Task.Product;
  }

  @Override
  public Contender prepare(Task task, Inputs inputs, DType factors) {
    if (handle == null || !(task instanceof Task.Product product)) {
      throw new IllegalStateException("not open, or not a product: " + task);
    }
    return new CublasContender(handle, product, inputs, factors);
  }

  @Override
  public void close() {
    if (handle != null) {
      JCublas2.cublasDestroy(handle);
      handle = null;
    }
  }
}
