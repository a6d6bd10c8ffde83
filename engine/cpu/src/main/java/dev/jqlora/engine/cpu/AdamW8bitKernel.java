package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.BlockwiseAdamW;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.LongAdder;

/** AdamW with 8-bit moments: {@link BlockwiseAdamW} over the blocks of one or more stacked tensors, in parallel. */
final class AdamW8bitKernel {
  /** Blocks that a task takes. */
  private static final int BLOCKS = 64;
  private static final int TASK_SIZE = BLOCKS * Blockwise8bit.BLOCK;

  private AdamW8bitKernel() {}

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
  static long step(Workers workers, State state, float scale, BlockwiseAdamW.Maps maps,
      BlockwiseAdamW.Coefficients coefficients) {
    int tasks = Math.toIntExact(Math.ceilDiv(state.size, TASK_SIZE));
    LongAdder skipped = new LongAdder();
    workers.parallel(Math.multiplyExact(state.tensors, tasks), task -> {
      long first = (long) (task % tasks) * TASK_SIZE;
      int count = (int) Math.min(TASK_SIZE, state.size - first);
      skipped.add(step(state, task / tasks, first, count, scale, maps, coefficients));
    });
    return skipped.sum();
  }

  private static int step(State state, int tensor, long first, int count, float scale, BlockwiseAdamW.Maps maps,
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
    int skipped = BlockwiseAdamW.step(parameter, gradient, codes1, absmax1, codes2, absmax2, maps, coefficients);
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
