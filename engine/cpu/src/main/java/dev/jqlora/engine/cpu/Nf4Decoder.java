package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Decodes runs of an NF4 tensor: the same numbers as {@link Nf4Tensor#dequantize}, some thirty times faster with vectors of
 * 512 bits ({@link WideNf4}), ten with others. Narrower vectors, and runs that are no whole groups within blocks, look the two
 * values of a byte up together and multiply by the block's scale in a second pass.
 */
final class Nf4Decoder {
  private static final ValueLayout.OfLong PAIR = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long[] PAIRS = pairs();

  private final Nf4Tensor tensor;
  private final MemorySegment codes;
  private final Absmax absmax;
  private final int blockSize;
  private final @Nullable WideNf4 wide;

  Nf4Decoder(Nf4Tensor tensor) {
    this.tensor = tensor;
    this.codes = tensor.codes();
    this.absmax = tensor.absmax();
    this.blockSize = tensor.blockSize();
    this.wide = WideNf4.fits() ? new WideNf4(tensor) : null;
  }

  Nf4Tensor tensor() {
    return tensor;
  }

  /** Decodes values {@code first .. first + count - 1} of the flattened tensor to {@code target} from float index on. */
  void read(long first, int count, MemorySegment target, long index) {
    if (wide != null && wide.decodes(first, count)) {
      wide.run(first, count, target, index);
      return;
    }
    long block = first / blockSize;
    int done = 0;
    int end = (int) Math.min(count, (block + 1) * blockSize - first);
    while (done < count) {
      readBlock(first + done, end - done, absmax.get(block), target, index + done);
      block++;
      done = end;
      end = Math.min(count, end + blockSize);
    }
  }

  /** The columns of a matrix with so many, from one on, as {@link WideNf4} packs them; null where it does not. */
  @Nullable
  WideNf4 wideColumns(int column, int columns) {
    return column % WideNf4.LANES == 0 && columns % WideNf4.LANES == 0 ? wide : null;
  }

  /** Values of one block. */
  private void readBlock(long first, int count, float scale, MemorySegment target, long index) {
    int done = 0;
    if ((first & 1) != 0) {
      FloatMemory.set(target, index, Nf4.value(code(first)) * scale);
      done = 1;
    }
    int pairs = done;
    for (; done + 2 <= count; done += 2) {
      target.set(PAIR, (index + done) * Float.BYTES,
          PAIRS[Byte.toUnsignedInt(codes.get(ValueLayout.JAVA_BYTE, (first + done) / 2))]);
    }
    scale(target, index + pairs, done - pairs, scale);
    if (done < count) {
      FloatMemory.set(target, index + done, Nf4.value(code(first + done)) * scale);
    }
  }

  private int code(long index) {
    int both = Byte.toUnsignedInt(codes.get(ValueLayout.JAVA_BYTE, index / 2));
    return (index & 1) == 0 ? both >> 4 : both & 15;
  }

  private static void scale(MemorySegment target, long index, int count, float scale) {
    int i = 0;
    for (; i < VectorWidth.FLOATS.loopBound(count); i += LANES) {
      FloatMemory.store(FloatMemory.load(target, index + i).mul(scale), target, index + i);
    }
    for (; i < count; i++) {
      FloatMemory.set(target, index + i, FloatMemory.get(target, index + i) * scale);
    }
  }

  /** For each byte its two values, the high half's first in memory. */
  private static long[] pairs() {
    long[] pairs = new long[256];
    for (int code = 0; code < pairs.length; code++) {
      pairs[code] = Integer.toUnsignedLong(Float.floatToRawIntBits(Nf4.value(code >> 4)))
          | (long) Float.floatToRawIntBits(Nf4.value(code & 15)) << Integer.SIZE;
    }
    return pairs;
  }
}
