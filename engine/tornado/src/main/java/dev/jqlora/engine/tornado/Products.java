package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.TensorType;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/**
 * Matrix products by tiles: a group of 16 by 16 work-items computes 64 by 64 elements, each work-item 16 of them in registers,
 * and brings 16 of the inner axis at a time to local memory. For a single row, as decoding has them, a group of 64 work-items
 * computes 64 elements. A transposed matrix is one with other strides. An element's sum runs over the inner axis in its order,
 * whatever the other extents. The innermost loop's bound is not a constant, or TornadoVM would unroll all of it into thousands
 * of lines.
 */
final class Products {
  private static final int TILE = 64;
  private static final int SIDE = 16;
  private static final int DEPTH = 16;
  private static final int THREADS = SIDE * SIDE;
  private static final int PER = 4;

  /** Of a single row's product: elements of a group, the part of the inner axis at a time, and local memory for one of it. */
  private static final int WIDTH = GraphWriter.GROUP;
  private static final int SLICE = 32;
  private static final int PITCH = WIDTH + 1;

  /** How the second matrix is stored. A plain number among a task's arguments is a constant in what is compiled for it. */
  private static final int F32 = 0;
  private static final int BF16 = 1;
  private static final int F16 = 2;
  private static final int NF4 = 3;
  private static final int NESTED_NF4 = 4;

  /** Parts of an NF4 matrix whose scales are quantized, as the ops have them: codes, absmax, its map, its scales, its offset. */
  private static final int PARTS = 5;

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

  /** Adds a product; b may be F32, BF16 or F16. */
  static void emit(Launch launch, Size size, Matrix a, Matrix b, int c, int cEntry, Sum sum) {
    int form = switch (launch.type(b.operand()).dtype()) {
      case F32 -> F32;
      case BF16 -> BF16;
      case F16 -> F16;
      case I32, U8 -> throw new IllegalArgumentException(launch.type(b.operand()).toString());
    };
    ShortArray halves = form == F32 ? launch.noShorts() : launch.shorts(b.operand());
    emit(launch, size, launch.noBytes(), launch.noBytes(), halves, form,
        launch.call(a.entry(), b.entry(), cEntry, sum.base < 0 ? -1 : sum.baseEntry, size.m, size.n, size.k,
            a.layout().row(), a.layout().column(), b.layout().row(), b.layout().column(), 0),
        sum.scale);
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
    emit(launch, new Size(1, rows, n, k), launch.bytes(1), weight.nested() ? launch.bytes(2) : launch.noBytes(),
        launch.noShorts(), weight.nested() ? NESTED_NF4 : NF4,
        launch.call(a, launch.at(1), c, -1, rows, n, k, k, 1, layout.row(), layout.column(), weight.blockSize()), 1);
  }

  private static void emit(Launch launch, Size size, ByteArray codes, ByteArray absmaxCodes, ShortArray halves,
      int form, IntArray call, float scale) {
    if (size.m == 1) {
      launch.groups((long) size.batches * ((size.n + WIDTH - 1) / WIDTH)).task(launch.id(), Products::row,
          launch.context(), launch.memory(), codes, absmaxCodes, halves, launch.tables(), launch.at(), call, form,
          scale);
    } else {
      size.grid(launch).task(launch.id(), Products::tiles, launch.context(), launch.memory(), codes, absmaxCodes,
          halves,
          launch.tables(), launch.at(), call, form, scale);
    }
  }

  /**
   * A product by tiles.
   *
   * @param codes of an NF4 matrix, {@code absmaxCodes} of one with double quantization, {@code halves} of a 16-bit one
   */
  static void tiles(KernelContext context, FloatArray memory, ByteArray codes, ByteArray absmaxCodes,
      ShortArray halves, FloatArray tables, IntArray at, IntArray call, int form, float scale) {
    int entryBase = call.get(3);
    int m = call.get(4);
    int n = call.get(5);
    int k = call.get(6);
    int aRow = call.get(7);
    int aColumn = call.get(8);
    int bRow = call.get(9);
    int bColumn = call.get(10);
    int blockSize = call.get(11);
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
    int aFirst = at.get(call.get(0)) + batch * m * k;
    int[] b = new int[PARTS];
    locate(form, at, call.get(1), b);
    int bBatch = batch * k * n;
    int cFirst = at.get(call.get(2)) + batch * m * n;
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
          int i = bBatch + (from + l) * bRow + (column0 + j) * bColumn;
          value = element(form, memory, codes, absmaxCodes, halves, tables, b, blockSize, i);
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
          int to = row * n + column;
          float sum = scale * sums[i * PER + j];
          if (entryBase >= 0) {
            sum += memory.get(at.get(entryBase) + batch * m * n + to);
          }
          memory.set(cFirst + to, sum);
        }
      }
    }
  }

  /** A product whose first matrix is one row, with the arguments of {@link #tiles}. */
  static void row(KernelContext context, FloatArray memory, ByteArray codes, ByteArray absmaxCodes, ShortArray halves,
      FloatArray tables, IntArray at, IntArray call, int form, float scale) {
    int entryBase = call.get(3);
    int n = call.get(5);
    int k = call.get(6);
    int aColumn = call.get(8);
    int bRow = call.get(9);
    int bColumn = call.get(10);
    int blockSize = call.get(11);
    float[] slice = context.allocateFloatLocalArray(SLICE * PITCH);
    int x = context.localIdx;
    int groups = n < 1 ? 1 : (n + WIDTH - 1) / WIDTH;
    int batch = context.groupIdx / groups;
    int column0 = context.groupIdx % groups * WIDTH;
    int width = n - column0 < WIDTH ? n - column0 : WIDTH;
    int aFirst = at.get(call.get(0)) + batch * k;
    int[] b = new int[PARTS];
    locate(form, at, call.get(1), b);
    int bBatch = batch * k * n;
    // Work-items side by side read what lies side by side.
    int fromJ = bRow == 1 ? x / SLICE : x;
    int stepJ = bRow == 1 ? WIDTH / SLICE : WIDTH;
    int fromL = bRow == 1 ? x % SLICE : 0;
    int stepL = bRow == 1 ? SLICE : 1;
    float sum = 0;
    for (int from = 0; from < k; from += SLICE) {
      int depth = k - from < SLICE ? k - from : SLICE;
      for (int j = fromJ; j < width; j += stepJ) {
        for (int l = fromL; l < depth; l += stepL) {
          int i = bBatch + (from + l) * bRow + (column0 + j) * bColumn;
          slice[l * PITCH + j] = element(form, memory, codes, absmaxCodes, halves, tables, b, blockSize, i);
        }
      }
      context.localBarrier();
      for (int l = 0; l < depth; l++) {
        sum += memory.get(aFirst + (from + l) * aColumn) * slice[l * PITCH + x];
      }
      context.localBarrier();
    }
    if (x < width) {
      int to = batch * n + column0 + x;
      float result = scale * sum;
      if (entryBase >= 0) {
        result += memory.get(at.get(entryBase) + to);
      }
      memory.set(at.get(call.get(2)) + to, result);
    }
  }

  /**
   * Reads where the second matrix begins, and the other parts of one in NF4. This is done once, since compilers for devices do
   * not see that the array of offsets never changes.
   */
  private static void locate(int form, IntArray at, int entry, int[] parts) {
    int count = form == NESTED_NF4 ? PARTS : form == NF4 ? 2 : 1;
    for (int i = 0; i < PARTS; i++) {
      parts[i] = i < count ? at.get(entry + i) : 0;
    }
  }

  /** Element i of the second matrix, whose parts begin at {@code parts}. */
  private static float element(int form, FloatArray memory, ByteArray codes, ByteArray absmaxCodes, ShortArray halves,
      FloatArray tables, int[] parts, int blockSize, int i) {
    int first = parts[0];
    float value;
    if (form == F32) {
      value = memory.get(first + i);
    } else if (form == BF16) {
      value = Half.bf16(halves.get(first + i), tables);
    } else if (form == F16) {
      value = Half.f16(halves.get(first + i), tables);
    } else {
      int pair = codes.get(first + (i >> 1)) & 255;
      int code = (i & 1) == 0 ? pair >> 4 : pair & 15;
      int block = i / blockSize;
      float absmax;
      if (form == NF4) {
        absmax = memory.get(parts[1] + block);
      } else {
        int scale = absmaxCodes.get(parts[1] + block) & 255;
        absmax = memory.get(parts[2] + scale) * memory.get(parts[3] + block / 256) + memory.get(parts[4]);
      }
      value = tables.get(code) * absmax;
    }
    return value;
  }
}
