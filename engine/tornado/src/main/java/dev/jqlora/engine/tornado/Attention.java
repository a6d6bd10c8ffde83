package dev.jqlora.engine.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Causal grouped-query attention without a tensor of scores: a group of work-items goes through the keys of one query, or the
 * queries of one key, some at a time.
 */
final class Attention {
  private static final int GROUP = GraphWriter.GROUP;
  /** The widest head. */
  static final int MOST_WIDTH = 256;
  private static final int PER = MOST_WIDTH / GROUP;

  private Attention() {}

  /**
   * A group a query and head, with a running softmax. Key j is seen where {@code from ≤ j ≤ to}: with {@code cached} from 0 to
   * the query's bound, else from its bound to the query itself. Work-item t scores key t of a block, then sums elements
   * t, t + 64, … of the values.
   */
  static void forward(KernelContext context, FloatArray memory, IntArray bounds, IntArray at, IntArray call,
      float scale) {
    int first = call.get(0);
    int lseEntry = call.get(1);
    int heads = call.get(2);
    int kvHeads = call.get(3);
    int width = call.get(4);
    int cached = call.get(5);
    float[] query = context.allocateFloatLocalArray(MOST_WIDTH);
    float[] weights = context.allocateFloatLocalArray(GROUP);
    float[] shared = context.allocateFloatLocalArray(GROUP);
    float[] sums = new float[PER];
    for (int i = 0; i < PER; i++) {
      sums[i] = 0;
    }
    int local = context.localIdx;
    int row = context.groupIdx / heads;
    int head = context.groupIdx % heads;
    int kvHead = head / (heads / kvHeads);
    int kvWidth = kvHeads * width;
    int kFirst = at.get(first + 1) + kvHead * width;
    int vFirst = at.get(first + 2) + kvHead * width;
    int bound = bounds.get(at.get(first + 3) + row);
    int from = cached == 1 ? 0 : bound;
    int to = cached == 1 ? bound : row;
    int qFirst = at.get(first) + (row * heads + head) * width;
    for (int i = local; i < width; i += GROUP) {
      query[i] = memory.get(qFirst + i) * scale;
    }
    context.localBarrier();
    float most = Float.NEGATIVE_INFINITY;
    float total = 0;
    for (int block = from; block <= to; block += GROUP) {
      int key = block + local;
      float score = Float.NEGATIVE_INFINITY;
      if (key <= to) {
        score = 0;
        for (int i = 0; i < width; i++) {
          score += query[i] * memory.get(kFirst + key * kvWidth + i);
        }
      }
      shared[local] = score;
      context.localBarrier();
      for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
        if (local < stride) {
          shared[local] = TornadoMath.max(shared[local], shared[local + stride]);
        }
        context.localBarrier();
      }
      float larger = TornadoMath.max(most, shared[0]);
      float weight = 0;
      if (key <= to) {
        weight = TornadoMath.exp(score - larger);
      }
      context.localBarrier();
      weights[local] = weight;
      shared[local] = weight;
      context.localBarrier();
      for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
        if (local < stride) {
          shared[local] += shared[local + stride];
        }
        context.localBarrier();
      }
      float shrink = TornadoMath.exp(most - larger);
      total = total * shrink + shared[0];
      most = larger;
      int count = to - block + 1 < GROUP ? to - block + 1 : GROUP;
      for (int part = 0; part < PER; part++) {
        int i = local + part * GROUP;
        if (i < width) {
          float sum = sums[part] * shrink;
          for (int j = 0; j < count; j++) {
            sum += weights[j] * memory.get(vFirst + (block + j) * kvWidth + i);
          }
          sums[part] = sum;
        }
      }
      context.localBarrier();
    }
    int outFirst = at.get(first + 4) + (row * heads + head) * width;
    for (int part = 0; part < PER; part++) {
      int i = local + part * GROUP;
      if (i < width) {
        memory.set(outFirst + i, sums[part] / total);
      }
    }
    if (cached == 0) {
      if (local == 0) {
        memory.set(at.get(lseEntry) + row * heads + head, most + TornadoMath.log(total));
      }
    }
  }

  /** {@code delta = Σ dout · out} of each query and head, a work-item each. */
  static void delta(KernelContext context, FloatArray memory, IntArray at, IntArray call) {
    int outEntry = call.get(0);
    int doutEntry = call.get(1);
    int deltaEntry = call.get(2);
    int count = call.get(3);
    int width = call.get(4);
    int i = context.globalIdx;
    if (i < count) {
      float sum = 0;
      for (int j = 0; j < width; j++) {
        sum += memory.get(at.get(outEntry) + i * width + j) * memory.get(at.get(doutEntry) + i * width + j);
      }
      memory.set(at.get(deltaEntry) + i, sum);
    }
  }

  /** The gradient by q: a group a query and head goes through its keys. */
  static void queries(KernelContext context, FloatArray memory, IntArray start, IntArray at, IntArray call,
      float scale) {
    int first = call.get(0);
    int deltaEntry = call.get(1);
    int heads = call.get(2);
    int kvHeads = call.get(3);
    int width = call.get(4);
    float[] query = context.allocateFloatLocalArray(MOST_WIDTH);
    float[] given = context.allocateFloatLocalArray(MOST_WIDTH);
    float[] slopes = context.allocateFloatLocalArray(GROUP);
    float[] sums = new float[PER];
    for (int i = 0; i < PER; i++) {
      sums[i] = 0;
    }
    int local = context.localIdx;
    int row = context.groupIdx / heads;
    int head = context.groupIdx % heads;
    int kvHead = head / (heads / kvHeads);
    int kvWidth = kvHeads * width;
    int kFirst = at.get(first + 1) + kvHead * width;
    int vFirst = at.get(first + 2) + kvHead * width;
    int from = start.get(at.get(first + 3) + row);
    int own = row * heads + head;
    for (int i = local; i < width; i += GROUP) {
      query[i] = memory.get(at.get(first) + own * width + i) * scale;
      given[i] = memory.get(at.get(first + 6) + own * width + i);
    }
    context.localBarrier();
    float logSum = memory.get(at.get(first + 5) + own);
    float mean = memory.get(at.get(deltaEntry) + own);
    for (int block = from; block <= row; block += GROUP) {
      int key = block + local;
      float slope = 0;
      if (key <= row) {
        float score = 0;
        float dp = 0;
        for (int i = 0; i < width; i++) {
          score += query[i] * memory.get(kFirst + key * kvWidth + i);
          dp += given[i] * memory.get(vFirst + key * kvWidth + i);
        }
        slope = TornadoMath.exp(score - logSum) * (dp - mean) * scale;
      }
      slopes[local] = slope;
      context.localBarrier();
      int count = row - block + 1 < GROUP ? row - block + 1 : GROUP;
      for (int part = 0; part < PER; part++) {
        int i = local + part * GROUP;
        if (i < width) {
          float sum = sums[part];
          for (int j = 0; j < count; j++) {
            sum += slopes[j] * memory.get(kFirst + (block + j) * kvWidth + i);
          }
          sums[part] = sum;
        }
      }
      context.localBarrier();
    }
    int dqFirst = at.get(first + 7) + own * width;
    for (int part = 0; part < PER; part++) {
      int i = local + part * GROUP;
      if (i < width) {
        memory.set(dqFirst + i, sums[part]);
      }
    }
  }

  /** The gradients by k and v: a group a key and key-value head goes through the queries that see the key. */
  static void keys(KernelContext context, FloatArray memory, IntArray start, IntArray at, IntArray call, float scale) {
    int first = call.get(0);
    int deltaEntry = call.get(1);
    int n = call.get(2);
    int heads = call.get(3);
    int kvHeads = call.get(4);
    int width = call.get(5);
    float[] key = context.allocateFloatLocalArray(MOST_WIDTH);
    float[] value = context.allocateFloatLocalArray(MOST_WIDTH);
    float[] slopes = context.allocateFloatLocalArray(GROUP);
    float[] weights = context.allocateFloatLocalArray(GROUP);
    float[] dkSums = new float[PER];
    float[] dvSums = new float[PER];
    for (int i = 0; i < PER; i++) {
      dkSums[i] = 0;
      dvSums[i] = 0;
    }
    int local = context.localIdx;
    int row = context.groupIdx / kvHeads;
    int kvHead = context.groupIdx % kvHeads;
    int group = heads / kvHeads;
    int own = row * kvHeads + kvHead;
    int starts = at.get(first + 3);
    for (int i = local; i < width; i += GROUP) {
      key[i] = memory.get(at.get(first + 1) + own * width + i) * scale;
      value[i] = memory.get(at.get(first + 2) + own * width + i);
    }
    context.localBarrier();
    int end = row;
    for (int i = row; i < n; i++) {
      if (start.get(starts + i) <= row) {
        end = i + 1;
      }
    }
    for (int member = 0; member < group; member++) {
      int head = kvHead * group + member;
      for (int block = row; block < end; block += GROUP) {
        int query = block + local;
        float weight = 0;
        float slope = 0;
        if (query < end) {
          int other = query * heads + head;
          float score = 0;
          float dp = 0;
          for (int i = 0; i < width; i++) {
            score += key[i] * memory.get(at.get(first) + other * width + i);
            dp += value[i] * memory.get(at.get(first + 6) + other * width + i);
          }
          weight = TornadoMath.exp(score - memory.get(at.get(first + 5) + other));
          slope = weight * (dp - memory.get(at.get(deltaEntry) + other)) * scale;
        }
        weights[local] = weight;
        slopes[local] = slope;
        context.localBarrier();
        int count = end - block < GROUP ? end - block : GROUP;
        for (int part = 0; part < PER; part++) {
          int i = local + part * GROUP;
          if (i < width) {
            float dkSum = dkSums[part];
            float dvSum = dvSums[part];
            for (int j = 0; j < count; j++) {
              int from = ((block + j) * heads + head) * width + i;
              dkSum += slopes[j] * memory.get(at.get(first) + from);
              dvSum += weights[j] * memory.get(at.get(first + 6) + from);
            }
            dkSums[part] = dkSum;
            dvSums[part] = dvSum;
          }
        }
        context.localBarrier();
      }
    }
    for (int part = 0; part < PER; part++) {
      int i = local + part * GROUP;
      if (i < width) {
        memory.set(at.get(first + 8) + own * width + i, dkSums[part]);
        memory.set(at.get(first + 9) + own * width + i, dvSums[part]);
      }
    }
  }
}
