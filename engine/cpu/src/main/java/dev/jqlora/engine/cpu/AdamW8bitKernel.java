package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
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
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import org.jspecify.annotations.Nullable;

/**
 * AdamW with 8-bit moments over the blocks of one or more stacked tensors, in parallel: {@link BlockwiseAdamW} to the byte.
 * Whole blocks are done with vectors, the rest by the plain code.
 *
 * <p>With vectors of 512 bits, 16 elements in the caches take one core 15 ns (AMD Zen 5; 19 to 20 in phases when another
 * guest shared the core, as it seems) and 147 instructions: 35 for the update, whose root and two divisions take 4 ns by
 * themselves, 31 for each moment's place among the codes and 13 for its code ({@link DecadeCodes}), 13 for looking each up
 * ({@link CodeTable}). Their 256 bytes of memory traffic take about as long. Narrower vectors look codes up one by one.
 */
final class AdamW8bitKernel {
  /** Blocks that a task takes. */
  private static final int BLOCKS = 64;
  private static final int TASK_SIZE = BLOCKS * Blockwise8bit.BLOCK;
  /** Numbers that {@link DecadeCodes} takes as divisors. */
  private static final float LEAST_ABSMAX = 0x1p-100f;
  private static final float GREATEST_ABSMAX = 0x1p100f;

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
    int tasks = Math.toIntExact(Math.ceilDiv(state.size, TASK_SIZE));
    LongAdder skipped = new LongAdder();
    @Nullable
    Blocks[] byWorker = new Blocks[workers.threads()];
    workers.parallel(Math.multiplyExact(state.tensors, tasks), (task, worker) -> {
      long first = (long) (task % tasks) * TASK_SIZE;
      int count = (int) Math.min(TASK_SIZE, state.size - first);
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
    private final byte[] codes1 = new byte[TASK_SIZE];
    private final byte[] codes2 = new byte[TASK_SIZE];
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
    }

    /** Updates {@code count} elements, whole blocks, of a tensor; returns the number left alone. */
    int step(int tensor, long begin, int count) {
      long at = tensor * state.size + begin;
      long block = tensor * Blockwise8bit.blocks(state.size) + begin / Blockwise8bit.BLOCK;
      int skipped = 0;
      for (int done = 0; done < count; done += Blockwise8bit.BLOCK, block++) {
        Moment.FIRST.values.look(state.codes1, at + done, Blockwise8bit.BLOCK, first, 0);
        Moment.SECOND.values.look(state.codes2, at + done, Blockwise8bit.BLOCK, second, 0);
        skipped += update(at + done, FloatMemory.get(state.absmax1, block), FloatMemory.get(state.absmax2, block));
        FloatMemory.set(state.absmax1, block, quantize(first, absmax(0), Moment.FIRST, codes1, done));
        FloatMemory.set(state.absmax2, block, quantize(second, absmax(LANES), Moment.SECOND, codes2, done));
      }
      MemorySegment.copy(codes1, 0, state.codes1, ValueLayout.JAVA_BYTE, at, count);
      MemorySegment.copy(codes2, 0, state.codes2, ValueLayout.JAVA_BYTE, at, count);
      return skipped;
    }

    /** Updates a block's parameters and its moments, which come without their absmax, and finds their new ones. */
    private int update(long at, float absmax1, float absmax2) {
      // Of what is read in the loop, copies: the compiler reads fields again after each access to a segment.
      MemorySegment gradient = state.gradient;
      MemorySegment parameter = state.parameter;
      float[] first = this.first;
      float[] second = this.second;
      float scale = this.scale;
      float beta1 = c.beta1();
      float gradient1 = c.gradient1();
      float beta2 = c.beta2();
      float gradient2 = c.gradient2();
      float correction = c.correction();
      float epsilon = c.epsilon();
      float decay = c.decay();
      float stepSize = c.stepSize();
      int skipped = 0;
      // Magnitudes are in order as ints, NaN above all.
      IntVector greatest1 = IntVector.zero(INTS);
      IntVector greatest2 = greatest1;
      for (int i = 0; i < Blockwise8bit.BLOCK; i += LANES) {
        FloatVector g = load(gradient, at + i).mul(scale);
        VectorMask<Float> bad = g.abs().compare(VectorOperators.LE, Float.MAX_VALUE).not();
        FloatVector m = FloatVector.fromArray(FLOATS, first, i).mul(absmax1).mul(beta1).add(g.mul(gradient1));
        FloatVector v = FloatVector.fromArray(FLOATS, second, i).mul(absmax2).mul(beta2)
            .add(g.mul(g).mul(gradient2));
        FloatVector update = m.div(v.sqrt().div(correction).add(epsilon));
        FloatVector p = load(parameter, at + i);
        FloatVector moved = p.mul(decay).add(update.mul(stepSize));
        if (bad.anyTrue()) {
          skipped += bad.trueCount();
          m = m.blend(0, bad);
          v = v.blend(0, bad);
          moved = moved.blend(p, bad);
        }
        greatest1 = greatest1.max(m.reinterpretAsInts().and(Integer.MAX_VALUE));
        greatest2 = greatest2.max(v.reinterpretAsInts().and(Integer.MAX_VALUE));
        m.intoArray(first, i);
        v.intoArray(second, i);
        store(moved, parameter, at + i);
      }
      greatest1.intoArray(greatest, 0);
      greatest2.intoArray(greatest, LANES);
      return skipped;
    }

    /** The greatest of some lanes of {@link #greatest}. */
    private float absmax(int lanes) {
      float absmax = Float.intBitsToFloat(IntVector.fromArray(INTS, greatest, lanes).reduceLanes(VectorOperators.MAX));
      return Float.isNaN(absmax) ? Float.NaN : absmax;
    }

    /** Returns absmax. */
    private float quantize(float[] values, float absmax, Moment moment, byte[] codes, int firstCode) {
      if (moment.decades != null && absmax >= LEAST_ABSMAX && absmax <= GREATEST_ABSMAX) {
        moment.decades.quantize(values, absmax, encoding, codes, firstCode);
      } else {
        moment.nearest.quantize(values, absmax == 0 ? 1 : absmax, bits, entries, codes, firstCode);
      }
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
