package dev.jqlora.engine.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The matrix product by its definition, with sums in the order that {@link Gemm} documents. */
final class GemmReference {
  private GemmReference() {}

  static void multiply(Gemm.Operand a, Gemm.Operand b, float alpha, boolean accumulate, float[] c) {
    float[][] left = elements(a);
    float[][] right = elements(b);
    for (int i = 0; i < a.rows(); i++) {
      for (int j = 0; j < b.columns(); j++) {
        int at = i * b.columns() + j;
        boolean add = accumulate;
        c[at] = accumulate ? c[at] : 0f;
        for (int first = 0; first < a.columns(); first += Gemm.DEPTH) {
          float sum = 0f;
          for (int k = first; k < Math.min(first + Gemm.DEPTH, a.columns()); k++) {
            sum = Math.fma(left[i][k], right[k][j], sum);
          }
          c[at] = add ? Math.fma(alpha, sum, c[at]) : alpha * sum;
          add = true;
        }
      }
    }
  }

  private static float[][] elements(Gemm.Operand operand) {
    float[][] elements = new float[operand.rows()][operand.columns()];
    int columns = operand.matrix().columns();
    MemorySegment row = Arena.ofAuto().allocate((long) columns * Float.BYTES, Float.BYTES);
    for (int r = 0; r < operand.matrix().rows(); r++) {
      operand.matrix().read(r, 0, columns, row, 0);
      for (int c = 0; c < columns; c++) {
        elements[operand.transposed() ? c : r][operand.transposed() ? r : c] = FloatMemory.get(row, c);
      }
    }
    return elements;
  }
}
