package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention of one token over the first rows of a key-value cache: what generating a token does in every layer. Each key and
 * value meets only the few queries of its group, so to pack them as {@link AttentionKernel} does would cost several times
 * the products. Scores are dot products along the stored keys instead, and the output is a sum of stored values; a block of
 * them stays in the caches while the queries of the group take turns, each with the running maximum and denominator of
 * {@link AttentionKernel}.
 *
 * <p>Over 512 tokens with the heads of Llama 3 8B, two cores of an AMD Zen 5 take 0.23 ms instead of 0.75. Loops go over keys,
 * with a part of the head in registers: over a head, with some keys in registers, they are so short that the compiler's
 * preparations take longer than the products, and the gain is half of this.
 *
 * <p>The result does not depend on the number of threads, and agrees with {@link AttentionKernel}'s to rounding.
 */
final class OneTokenAttention {
  /** Keys of a block: with heads of 128, 16 KiB and as much for values. */
  private static final int KEYS = 32;
  /** Numbers of a head that are in registers. */
  private static final int PART = 4 * LANES;

  private final AttentionShape shape;
  private final int headDim;
  private final MemorySegment keys;
  private final MemorySegment values;
  /** From a key to the next, in floats. */
  private final long stride;
  /** The group's queries, {@code [group, headDim]}. */
  private final float[] queries;
  private final float[] sums;
  private final float[] maximum;
  private final float[] denominator;
  /** A block's scores, then their exponentials. */
  private final float[] scores = new float[KEYS];
  /** The products that make the scores, a vector for each key. */
  private final float[] lanes = new float[KEYS * LANES];

  private OneTokenAttention(AttentionShape shape, int kvHead, MemorySegment q, MemorySegment keys,
      MemorySegment values) {
    this.shape = shape;
    this.keys = keys;
    this.values = values;
    headDim = shape.headDim();
    stride = (long) shape.kvHeads() * headDim;
    queries = new float[shape.group() * headDim];
    FloatMemory.read(q, (long) kvHead * queries.length, queries, 0, queries.length);
    sums = new float[queries.length];
    maximum = new float[shape.group()];
    Arrays.fill(maximum, Float.NEGATIVE_INFINITY);
    denominator = new float[shape.group()];
  }

  /** Whether heads are made of whole parts. */
  static boolean fits(AttentionShape shape) {
    return shape.headDim() % PART == 0;
  }

  /**
   * @param q {@code [heads, headDim]}
   * @param keys {@code [at least count, kvHeads, headDim]}, values likewise
   * @param count keys that the token sees, at least 1
   * @param out {@code [heads, headDim]}
   */
  static void forward(Workers workers, AttentionShape shape, MemorySegment q, MemorySegment keys, MemorySegment values,
      int count, MemorySegment out) {
    workers.parallel(shape.kvHeads(), kvHead -> {
      OneTokenAttention group = new OneTokenAttention(shape, kvHead, q, keys, values);
      for (int key = 0; key < count; key += KEYS) {
        group.meet(key * group.stride + (long) kvHead * group.headDim, Math.min(KEYS, count - key));
      }
      group.write(out, kvHead);
    });
  }

  /** The group's queries meet {@code count} keys and their values, which begin at {@code first}. */
  private void meet(long first, int count) {
    for (int query = 0; query < shape.group(); query++) {
      Arrays.fill(lanes, 0);
      for (int i = 0; i < headDim; i += PART) {
        dots(query * headDim + i, first + i, count);
      }
      LaneSum.of(lanes, count, scores, 0);
      float correction = softmax(query, count);
      for (int i = 0; i < headDim; i += PART) {
        accumulate(query * headDim + i, first + i, count, correction);
      }
    }
  }

  /** Adds the products of {@link #PART} numbers of a query and of each key. */
  private void dots(int query, long key, int count) {
    FloatVector query0 = FloatVector.fromArray(FLOATS, queries, query);
    FloatVector query1 = FloatVector.fromArray(FLOATS, queries, query + LANES);
    FloatVector query2 = FloatVector.fromArray(FLOATS, queries, query + 2 * LANES);
    FloatVector query3 = FloatVector.fromArray(FLOATS, queries, query + 3 * LANES);
    for (int i = 0; i < count; i++) {
      long at = key + i * stride;
      FloatVector sum = FloatVector.fromArray(FLOATS, lanes, i * LANES);
      sum = load(keys, at).fma(query0, sum);
      sum = load(keys, at + LANES).fma(query1, sum);
      sum = load(keys, at + 2 * LANES).fma(query2, sum);
      sum = load(keys, at + 3 * LANES).fma(query3, sum);
      sum.intoArray(lanes, i * LANES);
    }
  }

  /** Scores become exponentials; gives the factor of the sums so far. */
  private float softmax(int query, int count) {
    Arrays.fill(scores, count, KEYS, Float.NEGATIVE_INFINITY);
    FloatVector greatest = FloatVector.fromArray(FLOATS, scores, 0);
    for (int i = LANES; i < KEYS; i += LANES) {
      greatest = greatest.max(FloatVector.fromArray(FLOATS, scores, i));
    }
    float before = maximum[query];
    maximum[query] = Math.max(before, greatest.reduceLanes(VectorOperators.MAX) * shape.scale());
    FloatVector scale = FloatVector.broadcast(FLOATS, shape.scale());
    FloatVector negative = FloatVector.broadcast(FLOATS, -maximum[query]);
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int i = 0; i < KEYS; i += LANES) {
      FloatVector p = VectorExp.exp(FloatVector.fromArray(FLOATS, scores, i).fma(scale, negative));
      p.intoArray(scores, i);
      sum = sum.add(p);
    }
    float correction = (float) Math.exp(before - maximum[query]);
    denominator[query] = Math.fma(denominator[query], correction, LaneSum.of(sum));
    return correction;
  }

  /** Adds {@link #PART} numbers of each value, those of even and of odd number apart. */
  private void accumulate(int sum, long value, int count, float correction) {
    FloatVector even0 = FloatVector.fromArray(FLOATS, sums, sum).mul(correction);
    FloatVector even1 = FloatVector.fromArray(FLOATS, sums, sum + LANES).mul(correction);
    FloatVector even2 = FloatVector.fromArray(FLOATS, sums, sum + 2 * LANES).mul(correction);
    FloatVector even3 = FloatVector.fromArray(FLOATS, sums, sum + 3 * LANES).mul(correction);
    FloatVector odd0 = FloatVector.zero(FLOATS);
    FloatVector odd1 = odd0;
    FloatVector odd2 = odd0;
    FloatVector odd3 = odd0;
    for (int i = 0; i + 1 < count; i += 2) {
      long at = value + i * stride;
      FloatVector p = FloatVector.broadcast(FLOATS, scores[i]);
      even0 = load(values, at).fma(p, even0);
      even1 = load(values, at + LANES).fma(p, even1);
      even2 = load(values, at + 2 * LANES).fma(p, even2);
      even3 = load(values, at + 3 * LANES).fma(p, even3);
      p = FloatVector.broadcast(FLOATS, scores[i + 1]);
      odd0 = load(values, at + stride).fma(p, odd0);
      odd1 = load(values, at + stride + LANES).fma(p, odd1);
      odd2 = load(values, at + stride + 2 * LANES).fma(p, odd2);
      odd3 = load(values, at + stride + 3 * LANES).fma(p, odd3);
    }
    if (count % 2 == 1) {
      long at = value + (count - 1) * stride;
      FloatVector p = FloatVector.broadcast(FLOATS, scores[count - 1]);
      even0 = load(values, at).fma(p, even0);
      even1 = load(values, at + LANES).fma(p, even1);
      even2 = load(values, at + 2 * LANES).fma(p, even2);
      even3 = load(values, at + 3 * LANES).fma(p, even3);
    }
    even0.add(odd0).intoArray(sums, sum);
    even1.add(odd1).intoArray(sums, sum + LANES);
    even2.add(odd2).intoArray(sums, sum + 2 * LANES);
    even3.add(odd3).intoArray(sums, sum + 3 * LANES);
  }

  private void write(MemorySegment out, int kvHead) {
    for (int i = 0; i < sums.length; i++) {
      sums[i] /= denominator[i / headDim];
    }
    FloatMemory.write(sums, 0, out, (long) kvHead * sums.length, sums.length);
  }
}
