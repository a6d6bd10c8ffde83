package dev.jqlora.engine.cpu;

/** The matrix product by its definition, with sums in the order that {@link Gemm} documents. */
final class GemmReference {
  private GemmReference() {}

  static void multiply(Gemm.Operand a, Gemm.Operand b, float alpha, boolean accumulate, float[] c) {
    for (int i = 0; i < a.rows(); i++) {
      for (int j = 0; j < b.columns(); j++) {
        int at = i * b.columns() + j;
        boolean add = accumulate;
        c[at] = accumulate ? c[at] : 0f;
        for (int first = 0; first < a.columns(); first += Gemm.DEPTH) {
          float sum = 0f;
          for (int k = first; k < Math.min(first + Gemm.DEPTH, a.columns()); k++) {
            sum = Math.fma(element(a, i, k), element(b, k, j), sum);
          }
          c[at] = add ? Math.fma(alpha, sum, c[at]) : alpha * sum;
          add = true;
        }
      }
    }
  }

  private static float element(Gemm.Operand operand, int row, int column) {
    float[] value = new float[1];
    operand.matrix().read(operand.transposed() ? column : row, operand.transposed() ? row : column, 1, value, 0);
    return value[0];
  }
}
