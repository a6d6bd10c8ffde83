package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/**
 * Matrix products by tiles: a group of 16 by 16 work-items computes 64 by 64 elements, each work-item 16 of them in registers,
 * and brings 16 of the inner axis at a time to local memory. A transposed matrix is one with other strides. An element's sum
 * runs over the inner axis in its order, whatever the other extents. The innermost loop's bound is not a constant, or
 * TornadoVM would unroll all of it into thousands of lines.
 */
final class Products {
  private static final int TILE = 64;
  private static final int SIDE = 16;
  private static final int DEPTH = 16;
  private static final int THREADS = SIDE * SIDE;
  private static final int PER = 4;

  private Products() {}

  /** How a matrix lies in memory: what to add to go one row down, or one column to the right. */
  record Layout(int row, int column) {
    /** A matrix as it is stored. */
    static Layout plain(int columns) {
      return new Layout(columns, 1);
    }

    /** The transposed of a matrix that is stored with so many columns. */
    static Layout transposed(int columns) {
      return new Layout(1, columns);
    }
  }

  /** Extents of {@code c[m, n] = a[m, k] · b[k, n]}, done for each of {@code batches} matrices that lie one behind another. */
  record Size(int batches, int m, int n, int k) {
    TaskGraph grid(Launch launch) {
      return launch.squares((n + TILE - 1) / TILE, (m + TILE - 1) / TILE, batches, SIDE);
    }
  }

  /** Memory of a matrix: an operand of a launch, and the entry of the offset at which the matrix begins. */
  record Matrix(int operand, int entry, Layout layout) {}

  /** In {@code c = base + scale · a · b}: the factor, and the operand and entry of the base, or no operand. */
  record Sum(float scale, int base, int baseEntry) {
    static final Sum NONE = new Sum(1, -1, -1);
  }

  /** Adds a product; b may be F32, BF16 or F16, only an F32 one with a sum. */
  static void emit(Launch launch, Size size, Matrix a, Matrix b, int c, int cEntry, Sum sum) {
    TensorType type = launch.type(b.operand());
    switch (type.dtype()) {
      case F32 -> {
        boolean with = sum.base >= 0;
        size.grid(launch)
            .task(launch.id(), Products::floats, launch.context(), launch.memory(), launch.at(),
                launch.call(a.entry(), b.entry(), cEntry, with ? sum.baseEntry : cEntry, size.m, size.n, size.k,
                    a.layout().row(), a.layout().column(), b.layout().row(), b.layout().column(), with ? 1 : 0),
                sum.scale);
      }
      case BF16,
          F16 ->
        size.grid(launch).task(launch.id(), Products::halves, launch.context(), launch.memory(),
            launch.shorts(b.operand()), launch.tables(), launch.at(),
            launch.call(a.entry(), b.entry(), cEntry, size.m, size.n, size.k, a.layout().row(), a.layout().column(),
                b.layout().row(), b.layout().column(), type.dtype() == DType.BF16 ? 1 : 0));
      case I32, U8 -> throw new IllegalArgumentException(type.toString());
    }
  }

  /**
   * Adds {@code c = a · w} or, transposed, {@code c = a · wᵀ}, of an NF4 weight that stands in the inputs from 1 on.
   *
   * @param rows of a
   * @param a entry of its offset; {@code c} likewise
   */
  static void emitNf4(Launch launch, Nf4Weight weight, boolean transposed, int rows, int a, int c) {
    int n = transposed ? weight.out() : weight.in();
    int k = transposed ? weight.in() : weight.out();
    Layout layout = transposed ? Layout.transposed(weight.in()) : Layout.plain(weight.in());
    Size size = new Size(1, rows, n, k);
    IntArray call = launch.call(a, launch.at(1), c, rows, n, k, layout.row(), layout.column(), weight.blockSize());
    if (weight.nested()) {
      size.grid(launch).task(launch.id(), Products::nested, launch.context(), launch.memory(), launch.bytes(1),
          launch.bytes(2), launch.tables(), launch.at(), call);
    } else {
      size.grid(launch).task(launch.id(), Products::plain, launch.context(), launch.memory(), launch.bytes(1),
          launch.tables(), launch.at(), call);
    }
  }

  static void floats(KernelContext context, FloatArray memory, IntArray at, IntArray call, float scale) {
    int entryA = call.get(0);
    int entryB = call.get(1);
    int entryC = call.get(2);
    int entryBase = call.get(3);
    int m = call.get(4);
    int n = call.get(5);
    int k = call.get(6);
    int aRow = call.get(7);
    int aColumn = call.get(8);
    int bRow = call.get(9);
    int bColumn = call.get(10);
    int withBase = call.get(11);
    float[] tileA = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] tileB = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] sums = new float[PER * PER];
    for (int i = 0; i < PER * PER; i++) {
      sums[i] = 0;
    }
    int x = context.localIdx;
    int y = context.localIdy;
    int thread = y * SIDE + x;
    int row0 = context.groupIdy * TILE;
    int column0 = context.groupIdx * TILE;
    int batch = context.groupIdz;
    int aFirst = at.get(entryA) + batch * m * k;
    int bFirst = at.get(entryB) + batch * k * n;
    int cFirst = at.get(entryC) + batch * m * n;
    int baseFirst = at.get(entryBase) + batch * m * n;
    for (int from = 0; from < k; from += DEPTH) {
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int r = aColumn == 1 ? e / DEPTH : e % TILE;
        int l = aColumn == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (row0 + r < m && from + l < k) {
          value = memory.get(aFirst + (row0 + r) * aRow + (from + l) * aColumn);
        }
        tileA[l * TILE + r] = value;
      }
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int j = bRow == 1 ? e / DEPTH : e % TILE;
        int l = bRow == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (column0 + j < n && from + l < k) {
          int i = (from + l) * bRow + (column0 + j) * bColumn;
          value = memory.get(bFirst + i);
        }
        tileB[l * TILE + j] = value;
      }
      context.localBarrier();
      int depth = k - from < DEPTH ? k - from : DEPTH;
      for (int l = 0; l < depth; l++) {
        for (int i = 0; i < PER; i++) {
          float left = tileA[l * TILE + y + i * SIDE];
          for (int j = 0; j < PER; j++) {
            sums[i * PER + j] += left * tileB[l * TILE + x + j * SIDE];
          }
        }
      }
      context.localBarrier();
    }
    for (int i = 0; i < PER; i++) {
      for (int j = 0; j < PER; j++) {
        int row = row0 + y + i * SIDE;
        int column = column0 + x + j * SIDE;
        if (row < m && column < n) {
          float sum = scale * sums[i * PER + j];
          int to = row * n + column;
          if (withBase == 1) {
            sum += memory.get(baseFirst + to);
          }
          memory.set(cFirst + to, sum);
        }
      }
    }
  }

  static void halves(KernelContext context, FloatArray memory, ShortArray b, FloatArray tables, IntArray at,
      IntArray call) {
    int entryA = call.get(0);
    int entryB = call.get(1);
    int entryC = call.get(2);
    int m = call.get(3);
    int n = call.get(4);
    int k = call.get(5);
    int aRow = call.get(6);
    int aColumn = call.get(7);
    int bRow = call.get(8);
    int bColumn = call.get(9);
    int isBf16 = call.get(10);
    float[] tileA = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] tileB = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] sums = new float[PER * PER];
    for (int i = 0; i < PER * PER; i++) {
      sums[i] = 0;
    }
    int x = context.localIdx;
    int y = context.localIdy;
    int thread = y * SIDE + x;
    int row0 = context.groupIdy * TILE;
    int column0 = context.groupIdx * TILE;
    int batch = context.groupIdz;
    int aFirst = at.get(entryA) + batch * m * k;
    int bFirst = at.get(entryB) + batch * k * n;
    int cFirst = at.get(entryC) + batch * m * n;
    for (int from = 0; from < k; from += DEPTH) {
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int r = aColumn == 1 ? e / DEPTH : e % TILE;
        int l = aColumn == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (row0 + r < m && from + l < k) {
          value = memory.get(aFirst + (row0 + r) * aRow + (from + l) * aColumn);
        }
        tileA[l * TILE + r] = value;
      }
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int j = bRow == 1 ? e / DEPTH : e % TILE;
        int l = bRow == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (column0 + j < n && from + l < k) {
          int i = (from + l) * bRow + (column0 + j) * bColumn;
          int bits = b.get(bFirst + i);
          if (isBf16 == 1) {
            value = Half.bf16(bits, tables);
          } else {
            value = Half.f16(bits, tables);
          }
        }
        tileB[l * TILE + j] = value;
      }
      context.localBarrier();
      int depth = k - from < DEPTH ? k - from : DEPTH;
      for (int l = 0; l < depth; l++) {
        for (int i = 0; i < PER; i++) {
          float left = tileA[l * TILE + y + i * SIDE];
          for (int j = 0; j < PER; j++) {
            sums[i * PER + j] += left * tileB[l * TILE + x + j * SIDE];
          }
        }
      }
      context.localBarrier();
    }
    for (int i = 0; i < PER; i++) {
      for (int j = 0; j < PER; j++) {
        int row = row0 + y + i * SIDE;
        int column = column0 + x + j * SIDE;
        if (row < m && column < n) {
          memory.set(cFirst + row * n + column, sums[i * PER + j]);
        }
      }
    }
  }

  static void plain(KernelContext context, FloatArray memory, ByteArray codes, FloatArray tables, IntArray at,
      IntArray call) {
    int first = call.get(1);
    int m = call.get(3);
    int n = call.get(4);
    int k = call.get(5);
    int bRow = call.get(6);
    int bColumn = call.get(7);
    int blockSize = call.get(8);
    int aRow = k;
    int aColumn = 1;
    float[] tileA = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] tileB = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] sums = new float[PER * PER];
    for (int i = 0; i < PER * PER; i++) {
      sums[i] = 0;
    }
    int x = context.localIdx;
    int y = context.localIdy;
    int thread = y * SIDE + x;
    int row0 = context.groupIdy * TILE;
    int column0 = context.groupIdx * TILE;
    int aFirst = at.get(call.get(0));
    int codesFirst = at.get(first);
    int absmaxFirst = at.get(first + 1);
    int cFirst = at.get(call.get(2));
    for (int from = 0; from < k; from += DEPTH) {
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int r = aColumn == 1 ? e / DEPTH : e % TILE;
        int l = aColumn == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (row0 + r < m && from + l < k) {
          value = memory.get(aFirst + (row0 + r) * aRow + (from + l) * aColumn);
        }
        tileA[l * TILE + r] = value;
      }
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int j = bRow == 1 ? e / DEPTH : e % TILE;
        int l = bRow == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (column0 + j < n && from + l < k) {
          int i = (from + l) * bRow + (column0 + j) * bColumn;
          int pair = codes.get(codesFirst + (i >> 1)) & 255;
          int code = (i & 1) == 0 ? pair >> 4 : pair & 15;
          value = tables.get(code) * memory.get(absmaxFirst + i / blockSize);
        }
        tileB[l * TILE + j] = value;
      }
      context.localBarrier();
      int depth = k - from < DEPTH ? k - from : DEPTH;
      for (int l = 0; l < depth; l++) {
        for (int i = 0; i < PER; i++) {
          float left = tileA[l * TILE + y + i * SIDE];
          for (int j = 0; j < PER; j++) {
            sums[i * PER + j] += left * tileB[l * TILE + x + j * SIDE];
          }
        }
      }
      context.localBarrier();
    }
    for (int i = 0; i < PER; i++) {
      for (int j = 0; j < PER; j++) {
        int row = row0 + y + i * SIDE;
        int column = column0 + x + j * SIDE;
        if (row < m && column < n) {
          memory.set(cFirst + row * n + column, sums[i * PER + j]);
        }
      }
    }
  }

  static void nested(KernelContext context, FloatArray memory, ByteArray codes, ByteArray absmaxCodes,
      FloatArray tables, IntArray at, IntArray call) {
    int first = call.get(1);
    int m = call.get(3);
    int n = call.get(4);
    int k = call.get(5);
    int bRow = call.get(6);
    int bColumn = call.get(7);
    int blockSize = call.get(8);
    int aRow = k;
    int aColumn = 1;
    float[] tileA = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] tileB = context.allocateFloatLocalArray(TILE * DEPTH);
    float[] sums = new float[PER * PER];
    for (int i = 0; i < PER * PER; i++) {
      sums[i] = 0;
    }
    int x = context.localIdx;
    int y = context.localIdy;
    int thread = y * SIDE + x;
    int row0 = context.groupIdy * TILE;
    int column0 = context.groupIdx * TILE;
    int aFirst = at.get(call.get(0));
    int codesFirst = at.get(first);
    int absmaxFirst = at.get(first + 1);
    int mapFirst = at.get(first + 2);
    int nestedFirst = at.get(first + 3);
    float shift = memory.get(at.get(first + 4));
    int cFirst = at.get(call.get(2));
    for (int from = 0; from < k; from += DEPTH) {
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int r = aColumn == 1 ? e / DEPTH : e % TILE;
        int l = aColumn == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (row0 + r < m && from + l < k) {
          value = memory.get(aFirst + (row0 + r) * aRow + (from + l) * aColumn);
        }
        tileA[l * TILE + r] = value;
      }
      for (int part = 0; part < PER; part++) {
        int e = thread + part * THREADS;
        int j = bRow == 1 ? e / DEPTH : e % TILE;
        int l = bRow == 1 ? e % DEPTH : e / TILE;
        float value = 0;
        if (column0 + j < n && from + l < k) {
          int i = (from + l) * bRow + (column0 + j) * bColumn;
          int pair = codes.get(codesFirst + (i >> 1)) & 255;
          int code = (i & 1) == 0 ? pair >> 4 : pair & 15;
          int block = i / blockSize;
          int scale = absmaxCodes.get(absmaxFirst + block) & 255;
          float absmax = memory.get(mapFirst + scale) * memory.get(nestedFirst + block / 256) + shift;
          value = tables.get(code) * absmax;
        }
        tileB[l * TILE + j] = value;
      }
      context.localBarrier();
      int depth = k - from < DEPTH ? k - from : DEPTH;
      for (int l = 0; l < depth; l++) {
        for (int i = 0; i < PER; i++) {
          float left = tileA[l * TILE + y + i * SIDE];
          for (int j = 0; j < PER; j++) {
            sums[i * PER + j] += left * tileB[l * TILE + x + j * SIDE];
          }
        }
      }
      context.localBarrier();
    }
    for (int i = 0; i < PER; i++) {
      for (int j = 0; j < PER; j++) {
        int row = row0 + y + i * SIDE;
        int column = column0 + x + j * SIDE;
        if (row < m && column < n) {
          memory.set(cFirst + row * n + column, sums[i * PER + j]);
        }
      }
    }
  }
}
