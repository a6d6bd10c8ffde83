package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.Gemv.ROWS;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * {@link Gemv} with a weight in NF4, for vectors of 16 lanes. A vector of codes is 16 ints of eight codes each. Eight times
 * the lowest code of every int is looked up in a register that holds the 16 values, multiplied, and shifted out; x is laid
 * out once so that each step finds its 16 numbers side by side. No byte is widened, and a step is four instructions: look
 * up (with a mask that the compiler adds), multiply and add, shift.
 *
 * <p>The lanes of a vector belong to one block of weights or to several neighbouring ones. Their scales are spread over the
 * lanes and multiplied once for each vector of codes.
 */
final class GemvNf4 implements Gemv.Form {
  private static final int CODES_PER_INT = 8;
  /** Weights of one vector of codes. */
  private static final int CHUNK = CODES_PER_INT * LANES;
  private static final int CODE_BITS = 4;

  private final Nf4Tensor weight;
  private final int columns;
  /** Per chunk and step the numbers that meet the lanes' codes. */
  private final float[] x;
  private final int[] table = new int[16];
  private final VectorShuffle<Float> blockOfLane;
  private final Nf4Scales scales;

  GemvNf4(Nf4Tensor weight, float[] values) {
    this.weight = weight;
    this.columns = values.length;
    this.x = new float[columns];
    for (int chunk = 0; chunk < columns; chunk += CHUNK) {
      for (int step = 0; step < CODES_PER_INT; step++) {
        // The first of a byte's two codes is in its high half, which is the later one to be shifted down.
        int from = chunk + (step ^ 1);
        int to = chunk + step * LANES;
        for (int lane = 0; lane < LANES; lane++) {
          x[to + lane] = values[from + lane * CODES_PER_INT];
        }
      }
    }
    Arrays.setAll(table, code -> Float.floatToRawIntBits(Nf4.value(code)));
    scales = new Nf4Scales(weight.absmax());
    blockOfLane = VectorShuffle.fromOp(FLOATS, lane -> lane * CODES_PER_INT / weight.blockSize());
  }

  /** Whether rows are whole vectors of codes and whole blocks, and the 16 values fit into one register. */
  static boolean fits(Nf4Tensor weight) {
    int columns = weight.shape().last();
    return LANES == 16 && columns % CHUNK == 0 && columns % weight.blockSize() == 0;
  }

  @Override
  public Gemv.Rows rows(int most) {
    return new Rows(most);
  }

  /** Rows of a task, with the scales of all of them. */
  private final class Rows implements Gemv.Rows {
    private final int blocks = columns / weight.blockSize();
    private final Nf4Scales.Range range;
    private final float[] lanes = new float[ROWS * LANES];
    private int firstRow;

    Rows(int most) {
      range = new Nf4Scales.Range(most * blocks);
    }

    @Override
    public void begin(int firstRow, int count) {
      this.firstRow = firstRow;
      scales.decode((long) firstRow * blocks, count * blocks, range);
    }

    @Override
    public void multiply(int first, int distance, float[] sums) {
      GemvNf4.this.multiply(first, distance, range.scales, (first - firstRow) * blocks, lanes);
      LaneSum.of(lanes, ROWS, sums, 0);
    }
  }

  /** Puts the lanes of each row's sum into {@code lanes}; the first row's scales begin at {@code firstScale}. */
  private void multiply(int first, int distance, float[] scales, int firstScale, float[] lanes) {
    int blocks = distance * (columns / weight.blockSize());
    MemorySegment codes = weight.codes();
    int blockBits = Integer.numberOfTrailingZeros(weight.blockSize());
    long at = (long) first * columns / 2;
    long stride = (long) distance * columns / 2;
    IntVector values = IntVector.fromArray(INTS, table, 0);
    FloatVector sum0 = FloatVector.zero(FLOATS);
    FloatVector sum1 = sum0;
    FloatVector sum2 = sum0;
    FloatVector sum3 = sum0;
    FloatVector sum4 = sum0;
    FloatVector sum5 = sum0;
    FloatVector sum6 = sum0;
    FloatVector sum7 = sum0;
    for (int chunk = 0; chunk < columns / CHUNK; chunk++) {
      long begin = at + chunk * (CHUNK / 2L);
      IntVector codes0 = IntVector.fromMemorySegment(INTS, codes, begin, LITTLE_ENDIAN);
      IntVector codes1 = IntVector.fromMemorySegment(INTS, codes, begin + stride, LITTLE_ENDIAN);
      IntVector codes2 = IntVector.fromMemorySegment(INTS, codes, begin + 2 * stride, LITTLE_ENDIAN);
      IntVector codes3 = IntVector.fromMemorySegment(INTS, codes, begin + 3 * stride, LITTLE_ENDIAN);
      IntVector codes4 = IntVector.fromMemorySegment(INTS, codes, begin + 4 * stride, LITTLE_ENDIAN);
      IntVector codes5 = IntVector.fromMemorySegment(INTS, codes, begin + 5 * stride, LITTLE_ENDIAN);
      IntVector codes6 = IntVector.fromMemorySegment(INTS, codes, begin + 6 * stride, LITTLE_ENDIAN);
      IntVector codes7 = IntVector.fromMemorySegment(INTS, codes, begin + 7 * stride, LITTLE_ENDIAN);
      FloatVector firstNumbers = FloatVector.fromArray(FLOATS, x, chunk * CHUNK);
      FloatVector part0 = codes0.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      FloatVector part1 = codes1.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      FloatVector part2 = codes2.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      FloatVector part3 = codes3.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      FloatVector part4 = codes4.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      FloatVector part5 = codes5.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      FloatVector part6 = codes6.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      FloatVector part7 = codes7.selectFrom(values).reinterpretAsFloats().mul(firstNumbers);
      // Shifts stand before look-ups: behind them the compiler would gather them all at the end of a step.
      for (int i = LANES; i < CHUNK; i += LANES) {
        FloatVector numbers = FloatVector.fromArray(FLOATS, x, chunk * CHUNK + i);
        codes0 = codes0.lanewise(VectorOperators.LSHR, CODE_BITS);
        part0 = codes0.selectFrom(values).reinterpretAsFloats().fma(numbers, part0);
        codes1 = codes1.lanewise(VectorOperators.LSHR, CODE_BITS);
        part1 = codes1.selectFrom(values).reinterpretAsFloats().fma(numbers, part1);
        codes2 = codes2.lanewise(VectorOperators.LSHR, CODE_BITS);
        part2 = codes2.selectFrom(values).reinterpretAsFloats().fma(numbers, part2);
        codes3 = codes3.lanewise(VectorOperators.LSHR, CODE_BITS);
        part3 = codes3.selectFrom(values).reinterpretAsFloats().fma(numbers, part3);
        codes4 = codes4.lanewise(VectorOperators.LSHR, CODE_BITS);
        part4 = codes4.selectFrom(values).reinterpretAsFloats().fma(numbers, part4);
        codes5 = codes5.lanewise(VectorOperators.LSHR, CODE_BITS);
        part5 = codes5.selectFrom(values).reinterpretAsFloats().fma(numbers, part5);
        codes6 = codes6.lanewise(VectorOperators.LSHR, CODE_BITS);
        part6 = codes6.selectFrom(values).reinterpretAsFloats().fma(numbers, part6);
        codes7 = codes7.lanewise(VectorOperators.LSHR, CODE_BITS);
        part7 = codes7.selectFrom(values).reinterpretAsFloats().fma(numbers, part7);
      }
      int block = firstScale + (chunk * CHUNK >> blockBits);
      sum0 = part0.fma(FloatVector.fromArray(FLOATS, scales, block).rearrange(blockOfLane), sum0);
      sum1 = part1.fma(FloatVector.fromArray(FLOATS, scales, blocks + block).rearrange(blockOfLane), sum1);
      sum2 = part2.fma(FloatVector.fromArray(FLOATS, scales, 2 * blocks + block).rearrange(blockOfLane), sum2);
      sum3 = part3.fma(FloatVector.fromArray(FLOATS, scales, 3 * blocks + block).rearrange(blockOfLane), sum3);
      sum4 = part4.fma(FloatVector.fromArray(FLOATS, scales, 4 * blocks + block).rearrange(blockOfLane), sum4);
      sum5 = part5.fma(FloatVector.fromArray(FLOATS, scales, 5 * blocks + block).rearrange(blockOfLane), sum5);
      sum6 = part6.fma(FloatVector.fromArray(FLOATS, scales, 6 * blocks + block).rearrange(blockOfLane), sum6);
      sum7 = part7.fma(FloatVector.fromArray(FLOATS, scales, 7 * blocks + block).rearrange(blockOfLane), sum7);
    }
    sum0.intoArray(lanes, 0);
    sum1.intoArray(lanes, LANES);
    sum2.intoArray(lanes, 2 * LANES);
    sum3.intoArray(lanes, 3 * LANES);
    sum4.intoArray(lanes, 4 * LANES);
    sum5.intoArray(lanes, 5 * LANES);
    sum6.intoArray(lanes, 6 * LANES);
    sum7.intoArray(lanes, 7 * LANES);
  }
}
