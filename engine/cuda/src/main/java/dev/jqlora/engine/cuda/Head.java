package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.CudaKernel.Call;
import dev.jqlora.engine.cuda.MatMulCuda.Factor;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;

/**
 * The output head over blocks of rows: logits go to scratch memory, so those of all rows never exist at once. The weight
 * {@code [vocab, width]} stands at input 1, as numbers or in NF4.
 */
final class Head {
  private static final int NUMBER_BYTES = Float.BYTES;

  private final Call call;
  private final int width;
  private final int vocab;
  private final Products products;
  private final LogitsBlock rowsAtOnce;

  /** Products with the weight, of so many rows. */
  private interface Products {
    void logits(long x, int rows, long logits);

    void inputGradient(long logitsGradient, int rows, long dx);
  }

  private Head(Call call, int vocab, LogitsBlock rowsAtOnce, Products products) {
    this.call = call;
    this.width = call.input(0).dim(1);
    this.vocab = vocab;
    this.rowsAtOnce = rowsAtOnce;
    this.products = products;
  }

  static Head of(Call call, LogitsBlock rowsAtOnce) {
    CudaKernel.Buffer w = call.input(1);
    int vocab = w.dim(0);
    int width = w.dim(1);
    Factor weight = new Factor(w.address(), w.type().dtype());
    return new Head(call, vocab, rowsAtOnce, new Products() {
      @Override
      public void logits(long x, int rows, long logits) {
        MatMulCuda.multiply(call, MatMul.NT, new Factor(x, DType.F32), weight,
            new MatMulCuda.Extents(rows, vocab, width), false, logits);
      }

      @Override
      public void inputGradient(long logitsGradient, int rows, long dx) {
        MatMulCuda.multiply(call, MatMul.NN, new Factor(logitsGradient, DType.F32), weight,
            new MatMulCuda.Extents(rows, width, vocab), false, dx);
      }
    });
  }

  static Head of(Call call, Nf4Weight weight, LogitsBlock rowsAtOnce) {
    return new Head(call, weight.out(), rowsAtOnce, new Products() {
      @Override
      public void logits(long x, int rows, long logits) {
        Nf4LinearCuda.multiply(call, weight, new Factor(x, DType.F32), rows, logits);
      }

      @Override
      public void inputGradient(long logitsGradient, int rows, long dx) {
        Nf4LinearGradientCuda.multiply(call, weight, new Factor(logitsGradient, DType.F32), rows, dx);
      }
    });
  }

  /**
   * Loss and gradients.
   *
   * @param labels device address; nll too
   * @param dx 0 where it is not wanted; dw too
   */
  void crossEntropy(long labels, long loss, long nll, long dx, long dw) {
    CudaKernel.Buffer x = call.input(0);
    int n = x.dim(0);
    int step = rowsAtOnce.rows(x.type(), vocab);
    boolean gradient = dx != 0 || dw != 0;
    long logits = call.scratch();
    if (n == 0 && dw != 0) {
      call.fillWithZeros(dw, DType.F32, (long) vocab * width);
    }
    for (int row = 0; row < n; row += step) {
      int rows = Math.min(step, n - row);
      long before = (long) row * NUMBER_BYTES;
      long block = x.address() + before * width;
      products.logits(block, rows, logits);
      call.launchRows("linear_cross_entropy", "cross_entropy", rows, vocab, logits, labels + before, vocab,
          gradient ? 1 : 0, nll + before);
      if (dx != 0) {
        products.inputGradient(logits, rows, dx + before * width);
      }
      if (dw != 0) {
        MatMulCuda.multiply(call, MatMul.TN, new Factor(logits, DType.F32), new Factor(block, DType.F32),
            new MatMulCuda.Extents(vocab, width, rows), row > 0, dw);
      }
    }
    call.launch("sum_of_squares", "sum_all", Grid.of(1), nll, (long) n, loss);
  }

  /** The id of each row's largest logit. */
  void argMax(long ids) {
    CudaKernel.Buffer x = call.input(0);
    int step = rowsAtOnce.rows(x.type(), vocab);
    for (int row = 0; row < x.dim(0); row += step) {
      int rows = Math.min(step, x.dim(0) - row);
      long before = (long) row * NUMBER_BYTES;
      products.logits(x.address() + before * width, rows, call.scratch());
      call.launch("linear_arg_max", "arg_max", Grid.of(rows), call.scratch(), vocab, ids + before);
    }
  }
}
