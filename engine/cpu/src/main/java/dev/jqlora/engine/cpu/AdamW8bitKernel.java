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
 * <p>With vectors of 512 bits, 16 elements in the caches take one core of an AMD Zen 5 11 ns: 3 to look codes up, 3.5 to update,
 * 5 to make codes again. They took 13.4 when codes were made in two passes and right after a block's update. Narrower vectors
 * look codes up one by one.
 */
final class AdamW8bitKernel {
  /** Blocks that a task takes at most. With 64 a step from memory has 0.91 to 0.95 of the speed. */
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

  /** A block whose moments are updated and not yet codes. */
  private static final class Block {
    final float[] first = new float[Blockwise8bit.BLOCK];
    final float[] second = new float[Blockwise8bit.BLOCK];
    float absmax1;
    float absmax2;
    /** Its first element among all, and its place among all blocks. */
    long at;
    long index;
  }

  /** The vector version for whole blocks, with the buffers of one thread. */
  private static final class Blocks {
    private final State state;
    private final float scale;
    private final BlockwiseAdamW.Coefficients c;
    private final @Nullable ConstantDivisor correction;
    private final Block even = new Block();
    private final Block odd = new Block();
    /**
     * Lane by lane, the bits of the greatest magnitudes of the first moment and of the second, and the bits that any of the next
     * block's gradients has set. Comparing lanes within {@link #update}, too, is more than the compiler takes into one method.
     */
    private final int[] lanes = new int[3 * LANES];
    /** Memory for making codes. */
    private final byte[] codes = new byte[Blockwise8bit.BLOCK];
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
     * <p>Codes are made of a block after the next one was updated: the greatest moments, by which they are divided, come late
     * out of roots, divisions and a comparison of lanes, and the core would wait for them.
     */
    int step(int tensor, long begin, int count) {
      int blocks = count / Blockwise8bit.BLOCK;
      long at = tensor * state.size + begin;
      long index = tensor * Blockwise8bit.blocks(state.size) + begin / Blockwise8bit.BLOCK;
      int skipped = 0;
      boolean gradientsFit = gradientsFit(at);
      @Nullable
      Block waiting = null;
      for (int i = 0; i < blocks; i++, at += Blockwise8bit.BLOCK, index++) {
        long next = i + 1 < blocks ? at + Blockwise8bit.BLOCK : at;
        ConstantDivisor correction = this.correction;
        if (correction == null || !(FloatMemory.get(state.absmax2, index) <= LARGE && gradientsFit)) {
          long first = begin + (long) i * Blockwise8bit.BLOCK;
          skipped += AdamW8bitKernel.step(state, tensor, first, Blockwise8bit.BLOCK, scale, c);
          gradientsFit = gradientsFit(next);
          continue;
        }
        Block block = waiting == even ? odd : even;
        block.at = at;
        block.index = index;
        Moment.FIRST.values.look(state.codes1, at, Blockwise8bit.BLOCK, block.first, 0);
        Moment.SECOND.values.look(state.codes2, at, Blockwise8bit.BLOCK, block.second, 0);
        update(block, next, correction);
        float absmax1 = greatest(0);
        block.absmax1 = Float.isNaN(absmax1) ? Float.NaN : absmax1;
        block.absmax2 = greatest(LANES);
        gradientsFit = nextAreBelowTwo() && Math.abs(scale) <= LARGE / 2 || gradientsFit(next);
        if (waiting != null) {
          encode(waiting);
        }
        waiting = block;
      }
      if (waiting != null) {
        encode(waiting);
      }
      return skipped;
    }

    /** Whether a block's scaled gradients are finite, and their squares too. Magnitudes are in order as ints, NaN above all. */
    private boolean gradientsFit(long at) {
      long gradientAt = address(state.gradient, at, Blockwise8bit.BLOCK);
      IntVector greatest = IntVector.zero(INTS);
      for (int i = 0; i < Blockwise8bit.BLOCK; i += LANES) {
        greatest = greatest.max(loadAt(gradientAt + i * STEP).reinterpretAsInts().and(Integer.MAX_VALUE));
      }
      return Float.intBitsToFloat(greatest.reduceLanes(VectorOperators.MAX)) * Math.abs(scale) <= LARGE;
    }

    /**
     * Updates a block's parameters and its moments, which come without their absmax, and puts into {@link #lanes} what is to
     * be known of the new ones.
     *
     * <p>On the way it looks through the gradients of the next block. So these come from memory little by little beside the
     * arithmetic, as the parameters do, instead of all of a task's at once before it: from memory 1.04 to 1.05 times the
     * speed on two cores of an AMD Zen 5. In the loops that make codes, they held these up: 0.78 to 0.90.
     *
     * @param next first element of the next block
     */
    private void update(Block block, long next, ConstantDivisor correction) {
      // Of what is read in the loop, copies: the compiler reads fields again after each access to a segment.
      long gradientAt = address(state.gradient, block.at, Blockwise8bit.BLOCK);
      long nextGradientAt = address(state.gradient, next, Blockwise8bit.BLOCK);
      long parameterAt = address(state.parameter, block.at, Blockwise8bit.BLOCK);
      float[] first = block.first;
      float[] second = block.second;
      float absmax1 = FloatMemory.get(state.absmax1, block.index);
      float absmax2 = FloatMemory.get(state.absmax2, block.index);
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
      IntVector nextGradients = greatest1;
      for (int i = 0; i < Blockwise8bit.BLOCK; i += LANES) {
        nextGradients = nextGradients.or(loadAt(nextGradientAt + i * STEP).reinterpretAsInts());
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
      greatest1.intoArray(lanes, 0);
      greatest2.intoArray(lanes, LANES);
      nextGradients.intoArray(lanes, 2 * LANES);
    }

    private float greatest(int firstLane) {
      return Float.intBitsToFloat(IntVector.fromArray(INTS, lanes, firstLane).reduceLanes(VectorOperators.MAX));
    }

    /** Whether no gradient of the next block has the first bit of the exponent, as 2, infinity and NaN have. */
    private boolean nextAreBelowTwo() {
      int bits = IntVector.fromArray(INTS, lanes, 2 * LANES).reduceLanes(VectorOperators.OR);
      return (bits & Float.floatToRawIntBits(2f)) == 0;
    }

    /** Stores a block's moments. */
    private void encode(Block block) {
      quantize(block.first, block.absmax1, Moment.FIRST, state.codes1, block.at);
      quantize(block.second, block.absmax2, Moment.SECOND, state.codes2, block.at);
      FloatMemory.set(state.absmax1, block.index, block.absmax1);
      FloatMemory.set(state.absmax2, block.index, block.absmax2);
    }

    private void quantize(float[] values, float absmax, Moment moment, MemorySegment target, long at) {
      if (moment.decades != null && absmax >= LEAST_ABSMAX && absmax <= GREATEST_ABSMAX) {
        moment.decades.quantize(values, absmax, bits, target, at);
      } else {
        moment.nearest.quantize(values, absmax == 0 ? 1 : absmax, bits, entries, codes);
        MemorySegment.copy(codes, 0, target, ValueLayout.JAVA_BYTE, at, Blockwise8bit.BLOCK);
      }
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
