package dev.jqlora.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A matrix (or any tensor) in NF4: 4-bit codes of the flattened row-major values, two a byte with the first in the high
 * half, and one scale for each {@code blockSize} values. Blocks run over the flat array and may cross rows.
 *
 * @param shape of the values
 * @param blockSize values that share a scale, a power of two from 32 to 4096
 * @param codes {@code (elements + 1) / 2} bytes
 * @param absmax one scale a block
 */
public record Nf4Tensor(Shape shape, int blockSize, MemorySegment codes, Absmax absmax) {
  public Nf4Tensor {
    Nf4.checkBlockSize(blockSize);
    long elements = shape.elements();
    if (codes.byteSize() != Nf4.codeBytes(elements)) {
      throw new IllegalArgumentException(
          "NF4 codes of %s take %d bytes, not %d".formatted(shape, Nf4.codeBytes(elements), codes.byteSize()));
    }
    if (absmax.blocks() != Nf4.blocks(elements, blockSize)) {
      throw new IllegalArgumentException("NF4 %s in blocks of %d has %d scales, not %d".formatted(shape, blockSize,
          Nf4.blocks(elements, blockSize), absmax.blocks()));
    }
  }

  /** The 4-bit code of a value. */
  public int code(long index) {
    int pair = codes.get(ValueLayout.JAVA_BYTE, index >> 1);
    return (index & 1) == 0 ? pair >> 4 & 15 : pair & 15;
  }

  /** Decodes values {@code first .. first + count - 1} of the flat array: code value times scale, rounded once. */
  public void dequantize(long first, float[] target, int offset, int count) {
    int done = 0;
    while (done < count) {
      long index = first + done;
      long block = index / blockSize;
      int end = (int) Math.min(count, (block + 1) * blockSize - first);
      float scale = absmax.get(block);
      for (; done < end; done++) {
        target[offset + done] = Nf4.value(code(first + done)) * scale;
      }
    }
  }
}
