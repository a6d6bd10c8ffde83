package dev.jqlora.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.LongStream;

/**
 * The NF4 code of QLoRA, byte-compatible with bitsandbytes: 16 values, of which the nearest to {@code x / absmax} is
 * taken, where absmax is the greatest magnitude of the block.
 */
public final class Nf4 {
  /** Values that share a scale, unless a checkpoint says otherwise. */
  public static final int DEFAULT_BLOCK_SIZE = 64;

  /** Quantiles of the normal distribution, scaled to [-1, 1] (Dettmers et al., QLoRA, appendix E). */
  private static final float[] VALUES = {-1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
      -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0f, 0.07958029955625534f,
      0.16093020141124725f,
      0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1f};

  private static final int ZERO_CODE = 7;
  private static final float[] THRESHOLDS = thresholds();

  /**
   * Scaled values fall into 65 cells of width 1/32, none of which holds two thresholds, so that one look-up and one
   * comparison find the code.
   */
  private static final int CELLS_PER_UNIT = 32;
  private static final byte[] CELL_CODE = new byte[2 * CELLS_PER_UNIT + 1];
  private static final float[] CELL_THRESHOLD = new float[2 * CELLS_PER_UNIT + 1];

  static {
    for (int cell = 0; cell < CELL_CODE.length; cell++) {
      // Truncation towards zero: a cell reaches from its edge nearer to zero outwards; the middle cell spans both sides.
      float lowest = cell <= CELLS_PER_UNIT ? cell - 1 - CELLS_PER_UNIT : cell - CELLS_PER_UNIT;
      CELL_CODE[cell] = (byte) code(lowest / CELLS_PER_UNIT);
      CELL_THRESHOLD[cell] = CELL_CODE[cell] < THRESHOLDS.length ? THRESHOLDS[CELL_CODE[cell]] : Float.MAX_VALUE;
    }
  }

  /** Elements that one task of {@link #quantize} reads at a time; a multiple of every block size. */
  private static final int CHUNK = 1 << 16;

  private Nf4() {}

  /**
   * What came of quantizing a tensor.
   *
   * @param weight the codes, with plain scales
   * @param nonFinite number of NaN and infinite values met; the result is of no use unless this is 0
   */
  public record Quantized(Nf4Tensor weight, long nonFinite) {}

  /** The number that a code, 0 to 15, stands for. */
  public static float value(int code) {
    return VALUES[code];
  }

  /** All 16 values in ascending order, a copy. */
  public static float[] values() {
    return VALUES.clone();
  }

  /** Number of thresholds (midpoints of neighbouring values) strictly below {@code x}; 0 for NaN. */
  public static int code(float x) {
    int code = 0;
    for (float threshold : THRESHOLDS) {
      code += x > threshold ? 1 : 0;
    }
    return code;
  }

  /** Bytes of packed codes. */
  public static long codeBytes(long elements) {
    return (elements + 1) / 2;
  }

  /** Number of blocks; the last may be short. */
  public static long blocks(long elements, int blockSize) {
    return (elements + blockSize - 1) / blockSize;
  }

  /**
   * Quantizes a tensor of real numbers on all cores, reading it in chunks, so that a mapped file is never in memory as
   * a whole. The result does not depend on the number of cores.
   *
   * @param arena a shared or automatic one: several threads write to its memory
   */
  public static Quantized quantize(Tensor source, int blockSize, Arena arena) {
    checkBlockSize(blockSize);
    long elements = source.type().elements();
    MemorySegment codes = arena.allocate(codeBytes(elements), Alignment.BYTES);
    MemorySegment absmax = arena.allocate(blocks(elements, blockSize) * Float.BYTES, Alignment.BYTES);
    long chunks = (elements + CHUNK - 1) / CHUNK;
    long nonFinite = LongStream.range(0, chunks).parallel()
        .map(chunk -> quantizeChunk(source, chunk * CHUNK, blockSize, codes, absmax)).sum();
    return new Quantized(new Nf4Tensor(source.type().shape(), blockSize, codes, new Absmax.Plain(absmax)), nonFinite);
  }

  /** Throws IllegalArgumentException unless blocks may be of that size. */
  public static void checkBlockSize(int blockSize) {
    if (blockSize < 32 || blockSize > 4096 || Integer.bitCount(blockSize) != 1) {
      throw new IllegalArgumentException("NF4 block size is a power of two from 32 to 4096, not " + blockSize);
    }
  }

  private static long quantizeChunk(Tensor source, long first, int blockSize, MemorySegment codes,
      MemorySegment absmax) {
    int count = (int) Math.min(CHUNK, source.type().elements() - first);
    // An odd count is completed by a zero, whose code fills the last half byte.
    float[] values = new float[count + (count & 1)];
    FloatReader.read(source, first, values, 0, count);
    byte[] packed = new byte[values.length / 2];
    long nonFinite = 0;
    for (int start = 0; start < count; start += blockSize) {
      int end = Math.min(start + blockSize, count);
      float greatest = 0f;
      for (int i = start; i < end; i++) {
        greatest = Math.max(greatest, Math.abs(values[i]));
      }
      absmax.set(Absmax.F32, (first + start) / blockSize * Float.BYTES, greatest);
      if (!(greatest <= Float.MAX_VALUE)) {
        nonFinite += countNonFinite(values, start, end);
      }
      pack(values, start, end + (end & 1), greatest, packed);
    }
    MemorySegment.copy(packed, 0, codes, ValueLayout.JAVA_BYTE, first / 2, packed.length);
    return nonFinite;
  }

  private static void pack(float[] values, int start, int end, float absmax, byte[] packed) {
    float scale = 1f / absmax;
    if (Float.isInfinite(scale)) {
      packTiny(values, start, end, absmax, packed);
      return;
    }
    for (int i = start; i < end; i += 2) {
      packed[i >> 1] = (byte) (cellCode(values[i] * scale) << 4 | cellCode(values[i + 1] * scale));
    }
  }

  /** A block whose greatest magnitude has no finite reciprocal: all zero, or subnormal. */
  private static void packTiny(float[] values, int start, int end, float absmax, byte[] packed) {
    for (int i = start; i < end; i += 2) {
      int high = absmax == 0f ? ZERO_CODE : code(values[i] / absmax);
      int low = absmax == 0f ? ZERO_CODE : code(values[i + 1] / absmax);
      packed[i >> 1] = (byte) (high << 4 | low);
    }
  }

  /** {@link #code} without a branch: the sign bit of {@code threshold - x} is the comparison. */
  private static int cellCode(float x) {
    int cell = Math.clamp((int) (x * CELLS_PER_UNIT), -CELLS_PER_UNIT, CELLS_PER_UNIT) + CELLS_PER_UNIT;
    return CELL_CODE[cell] + (Float.floatToRawIntBits(CELL_THRESHOLD[cell] - x) >>> 31);
  }

  private static long countNonFinite(float[] values, int start, int end) {
    long count = 0;
    for (int i = start; i < end; i++) {
      count += Float.isFinite(values[i]) ? 0 : 1;
    }
    return count;
  }

  private static float[] thresholds() {
    float[] thresholds = new float[VALUES.length - 1];
    for (int i = 0; i < thresholds.length; i++) {
      thresholds[i] = (VALUES[i] + VALUES[i + 1]) / 2f;
    }
    return thresholds;
  }
}
