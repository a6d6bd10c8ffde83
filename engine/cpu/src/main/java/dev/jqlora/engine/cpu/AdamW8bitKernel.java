package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.FloatMemory.storeAt;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.BlockwiseAdamW;
import dev.jqlora.engine.tensor.DynamicMap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.LongAdder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import org.jspecify.annotations.Nullable;

/**
 * AdamW with 8-bit moments over the blocks of one or more stacked tensors, in parallel: {@link BlockwiseAdamW} to the byte.
 * Whole blocks are done with vectors, the rest by the plain code.
 *
 * <p>With vectors of 512 bits, 16 elements in the caches take one core 30 ns (Intel Xeon of 2023), where a root and
 * a division take 12 to 13 by themselves. They took 35 ns while the root was divided by the correction too
 * ({@link ConstantDivisor}), and codes of the second moment, which is never negative, minded a sign. Narrower vectors look
 * codes up one by one.
 */
final class AdamW8bitKernel {
  /** Blocks that a task takes at most: their gradients are a run of memory long enough to be read at full speed. */
  private static final int MOST_BLOCKS = 256;
  /** Blocks that a task takes at least, where there are few. */
  private static final int LEAST_BLOCKS = 64;
  private static final int TASKS_PER_THREAD = 4;
  /** Numbers that {@link DecadeCodes} takes as divisors. */
  private static final float LEAST_ABSMAX = 0x1p-100f;
  private static final float GREATEST_ABSMAX = 0x1p100f;
  /** Gradients and second moments up to this have sums of squares that are finite, as is all that is made of them. */
  private static final float LARGE = 0x1p60f;

  private AdamW8bitKernel() {}

  /** One moment's codes; made for the first step. */
  private static final class Moment {
    private static final Moment FIRST = new Moment(BlockwiseAdamW.Maps.DEFAULT.first());
    private static final Moment SECOND = new Moment(BlockwiseAdamW.Maps.DEFAULT.second());

    final CodeTable values;
    final NearestCodes nearest;
    final @Nullable DecadeCodes decades;

    Moment(DynamicMap map) {
      values = new CodeTable(map.values());
      nearest = new NearestCodes(map);
      decades = DecadeCodes.FITS ? new DecadeCodes(map) : null;
    }
  }

  /**
   * A parameter and its moments, all of {@code tensors} stacked tensors; blocks start anew at each.
   *
   * @param parameter F32 {@code [tensors, size]}; gradient likewise
   * @param codes1 U8 {@code [tensors, size]}; absmax1 F32 {@code [tensors, blocks]}; the second moment's likewise
   */
  record State(MemorySegment parameter, MemorySegment gradient, MemorySegment codes1, MemorySegment absmax1,
      MemorySegment codes2, MemorySegment absmax2, int tensors, long size) {}

  /**
   * Updates parameter and moments in place; the gradient is first multiplied by {@code scale}.
   *
   * @return number of elements left alone because their gradient is NaN or infinite
   */
  static long step(Workers workers, State state, float scale, BlockwiseAdamW.Coefficients coefficients) {
    long blocksPerTask = Math.clamp(
        state.tensors * Blockwise8bit.blocks(state.size) / (TASKS_PER_THREAD * workers.threads()), LEAST_BLOCKS,
        MOST_BLOCKS);
    long taskSize = blocksPerTask * Blockwise8bit.BLOCK;
    int tasks = Math.toIntExact(Math.ceilDiv(state.size, taskSize));
    LongAdder skipped = new LongAdder();
    @Nullable
    Blocks[] byWorker = new Blocks[workers.threads()];
    workers.parallel(Math.multiplyExact(state.tensors, tasks), (task, worker) -> {
      long first = task % tasks * taskSize;
      int count = (int) Math.min(taskSize, state.size - first);
      int whole = count / Blockwise8bit.BLOCK * Blockwise8bit.BLOCK;
      if (whole > 0) {
        Blocks own = byWorker[worker];
        Blocks blocks = own == null ? new Blocks(state, scale, coefficients) : own;
        byWorker[worker] = blocks;
        skipped.add(blocks.step(task / tasks, first, whole));
      }
      if (whole < count) {
        skipped.add(step(state, task / tasks, first + whole, count - whole, scale, coefficients));
      }
    });
    return skipped.sum();
  }

  /** The vector version for whole blocks, with the buffers of one thread. */
  private static final class Blocks {
    private final State state;
    private final float scale;
    private final BlockwiseAdamW.Coefficients c;
    private final @Nullable ConstantDivisor correction;
    /** The greatest gradients of a task's blocks. */
    private final float[] gradients = new float[MOST_BLOCKS];
    private final byte[] codes = new byte[Blockwise8bit.BLOCK];
    private final float[] first = new float[Blockwise8bit.BLOCK];
    private final float[] second = new float[Blockwise8bit.BLOCK];
    /** The bits of the greatest magnitudes, lane by lane, of both. */
    private final int[] greatest = new int[2 * LANES];
    private final DecadeCodes.Buffers encoding = new DecadeCodes.Buffers();
    private final int[] bits = new int[Blockwise8bit.BLOCK];
    private final int[] entries = new int[Blockwise8bit.BLOCK];

    Blocks(State state, float scale, BlockwiseAdamW.Coefficients coefficients) {
      this.state = state;
      this.scale = scale;
      c = coefficients;
      correction = ConstantDivisor.fits(c.correction()) ? new ConstantDivisor(c.correction()) : null;
    }

    /**
     * Updates {@code count} elements, whole blocks, of a tensor; returns the number left alone.
     *
     * <p>The gradients of all are looked through first, which brings them near. Block by block the core would wait for them:
     * a block's arithmetic is more than it looks ahead over. From memory, with tasks of 256 blocks instead of 64, a step has
     * 1.2 times the speed that way on two cores of an AMD Zen 5.
     */
    int step(int tensor, long begin, int count) {
      long at = tensor * state.size + begin;
      long firstBlock = tensor * Blockwise8bit.blocks(state.size) + begin / Blockwise8bit.BLOCK;
      int blocks = count / Blockwise8bit.BLOCK;
      for (int i = 0; i < blocks; i++) {
        gradients[i] = greatestGradient(at + (long) i * Blockwise8bit.BLOCK);
      }
      int skipped = 0;
      for (int i = 0; i < blocks; i++) {
        int done = i * Blockwise8bit.BLOCK;
        float absmax2 = FloatMemory.get(state.absmax2, firstBlock + i);
        ConstantDivisor correction = this.correction;
        if (correction == null || !(absmax2 <= LARGE && gradients[i] <= LARGE)) {
          // A gradient that is NaN or infinite, or numbers whose squares may overflow.
          skipped += AdamW8bitKernel.step(state, tensor, begin + done, Blockwise8bit.BLOCK, scale, c);
          continue;
        }
        Moment.FIRST.values.look(state.codes1, at + done, Blockwise8bit.BLOCK, first, 0);
        Moment.SECOND.values.look(state.codes2, at + done, Blockwise8bit.BLOCK, second, 0);
        update(at + done, FloatMemory.get(state.absmax1, firstBlock + i), absmax2, correction);
        FloatMemory.set(state.absmax1, firstBlock + i,
            quantize(first, absmax(0), Moment.FIRST, state.codes1, at + done));
        FloatMemory.set(state.absmax2, firstBlock + i,
            quantize(second, absmax(LANES), Moment.SECOND, state.codes2, at + done));
      }
      return skipped;
    }

    /** The greatest magnitude among a block's scaled gradients, or NaN. Magnitudes are in order as ints, NaN above all. */
    private float greatestGradient(long at) {
      long gradientAt = address(state.gradient, at, Blockwise8bit.BLOCK);
      IntVector greatest = IntVector.zero(INTS);
      for (int i = 0; i < Blockwise8bit.BLOCK; i += LANES) {
        greatest = greatest.max(loadAt(gradientAt + i * STEP).reinterpretAsInts().and(Integer.MAX_VALUE));
      }
      return Float.intBitsToFloat(greatest.reduceLanes(VectorOperators.MAX)) * Math.abs(scale);
    }

    /** Updates a block's parameters and its moments, which come without their absmax, and finds their new ones. */
    private void update(long at, float absmax1, float absmax2, ConstantDivisor correction) {
      // Of what is read in the loop, copies: the compiler reads fields again after each access to a segment.
      long gradientAt = address(state.gradient, at, Blockwise8bit.BLOCK);
      long parameterAt = address(state.parameter, at, Blockwise8bit.BLOCK);
      float[] first = this.first;
      float[] second = this.second;
      float scale = this.scale;
      float beta1 = c.beta1();
      float gradient1 = c.gradient1();
      float beta2 = c.beta2();
      float gradient2 = c.gradient2();
      float epsilon = c.epsilon();
      float decay = c.decay();
      float stepSize = c.stepSize();
      IntVector greatest1 = IntVector.zero(INTS);
      IntVector greatest2 = greatest1;
      for (int i = 0; i < Blockwise8bit.BLOCK; i += LANES) {
        FloatVector g = loadAt(gradientAt + i * STEP).mul(scale);
        FloatVector m = FloatVector.fromArray(FLOATS, first, i).mul(absmax1).mul(beta1).add(g.mul(gradient1));
        FloatVector v = FloatVector.fromArray(FLOATS, second, i).mul(absmax2).mul(beta2)
            .add(g.mul(g).mul(gradient2));
        FloatVector update = m.div(correction.divide(v.sqrt()).add(epsilon));
        storeAt(loadAt(parameterAt + i * STEP).mul(decay).add(update.mul(stepSize)), parameterAt + i * STEP);
        greatest1 = greatest1.max(m.reinterpretAsInts().and(Integer.MAX_VALUE));
        // Never negative, nor NaN: the block was looked at.
        greatest2 = greatest2.max(v.reinterpretAsInts());
        m.intoArray(first, i);
        v.intoArray(second, i);
      }
      greatest1.intoArray(greatest, 0);
      greatest2.intoArray(greatest, LANES);
    }

    /** The greatest of some lanes of {@link #greatest}. */
    private float absmax(int lanes) {
      float absmax = Float.intBitsToFloat(IntVector.fromArray(INTS, greatest, lanes).reduceLanes(VectorOperators.MAX));
      return Float.isNaN(absmax) ? Float.NaN : absmax;
    }

    /** Puts a block's codes into {@code target} and returns absmax. */
    private float quantize(float[] values, float absmax, Moment moment, MemorySegment target, long at) {
      if (moment.decades != null && absmax >= LEAST_ABSMAX && absmax <= GREATEST_ABSMAX) {
        moment.decades.quantize(values, absmax, encoding, codes);
      } else {
        moment.nearest.quantize(values, absmax == 0 ? 1 : absmax, bits, entries, codes);
      }
      MemorySegment.copy(codes, 0, target, ValueLayout.JAVA_BYTE, at, Blockwise8bit.BLOCK);
      return absmax;
    }
  }

  private static int step(State state, int tensor, long first, int count, float scale,
      BlockwiseAdamW.Coefficients coefficients) {
    long at = tensor * state.size + first;
    long block = tensor * Blockwise8bit.blocks(state.size) + first / Blockwise8bit.BLOCK;
    int blocks = (int) Blockwise8bit.blocks(count);
    float[] parameter = floats(state.parameter, at, count);
    float[] gradient = floats(state.gradient, at, count);
    for (int i = 0; i < count; i++) {
      gradient[i] *= scale;
    }
    byte[] codes1 = bytes(state.codes1, at, count);
    byte[] codes2 = bytes(state.codes2, at, count);
    float[] absmax1 = floats(state.absmax1, block, blocks);
    float[] absmax2 = floats(state.absmax2, block, blocks);
    int skipped = BlockwiseAdamW.step(parameter, gradient, codes1, absmax1, codes2, absmax2,
        BlockwiseAdamW.Maps.DEFAULT,
        coefficients);
    FloatMemory.write(parameter, 0, state.parameter, at, count);
    MemorySegment.copy(codes1, 0, state.codes1, ValueLayout.JAVA_BYTE, at, count);
    MemorySegment.copy(codes2, 0, state.codes2, ValueLayout.JAVA_BYTE, at, count);
    FloatMemory.write(absmax1, 0, state.absmax1, block, blocks);
    FloatMemory.write(absmax2, 0, state.absmax2, block, blocks);
    return skipped;
  }

  private static float[] floats(MemorySegment memory, long first, int count) {
    float[] values = new float[count];
    FloatMemory.read(memory, first, values, 0, count);
    return values;
  }

  private static byte[] bytes(MemorySegment memory, long first, int count) {
    byte[] values = new byte[count];
    MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, first, values, 0, count);
    return values;
  }
}
