package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.tensor.Blockwise8bit;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * A group a block of 256 elements. Products and sums go through double and back, so that no compiler fuses two of them: the
 * codes must be those of any other backend.
 */
final class AdamW8bitTornado implements TornadoKernel<AdamW8bit> {
  private static final int GROUP = GraphWriter.GROUP;
  private static final int BLOCK = Blockwise8bit.BLOCK;
  private static final int PER = BLOCK / GROUP;

  @Override
  public Class<AdamW8bit> op() {
    return AdamW8bit.class;
  }

  @Override
  public boolean needsDoubles() {
    return true;
  }

  @Override
  public void emit(AdamW8bit op, Launch launch) {
    int size = (int) (launch.elements(0) / op.count());
    int blocks = (int) (launch.elements(3) / op.count());
    for (int state = 2; state < 6; state++) {
      launch.copyThrough(state, state - 1);
    }
    launch.copyThrough(0, 0);
    launch.over(launch.elements(0)).task(launch.id(), AdamW8bitTornado::parameters, launch.context(), launch.memory(),
        launch.bytes(2), launch.bytes(4), launch.tables(), launch.at(),
        launch.call(launch.first(), (int) launch.elements(0), size, blocks), (float) op.beta1(),
        (float) (1 - op.beta1()), (float) op.beta2(), (float) (1 - op.beta2()), (float) op.epsilon());
    for (int moment = 0; moment < 2; moment++) {
      double beta = moment == 0 ? op.beta1() : op.beta2();
      int codes = launch.out(1 + 2 * moment);
      launch.groups((long) op.count() * blocks).task(launch.id(), AdamW8bitTornado::moment, launch.context(),
          launch.memory(), launch.bytes(codes), launch.tables(), launch.at(), launch.call(launch.first(),
              launch.at(codes), size, blocks, moment == 0 ? Tables.SIGNED : Tables.UNSIGNED, moment),
          (float) beta, (float) (1 - beta));
    }
  }

  /** Moves the parameters by the moments that this step will have. */
  static void parameters(KernelContext context, FloatArray memory, ByteArray codes1, ByteArray codes2,
      FloatArray tables, IntArray at, IntArray call, float beta1, float gradient1, float beta2, float gradient2,
      float epsilon) {
    int first = call.get(0);
    int n = call.get(1);
    int size = call.get(2);
    int blocks = call.get(3);
    int i = context.globalIdx;
    if (i < n) {
      int own = i / size * blocks + i % size / BLOCK;
      int rate = at.get(first + 6);
      float gradient = memory.get(at.get(first + 1) + i) * memory.get(at.get(first + 7));
      if (TornadoMath.abs(gradient) < Float.POSITIVE_INFINITY) {
        int code1 = codes1.get(at.get(first + 2) + i) & 255;
        int code2 = codes2.get(at.get(first + 4) + i) & 255;
        float old1 = tables.get(Tables.SIGNED + code1) * memory.get(at.get(first + 3) + own);
        float old2 = tables.get(Tables.UNSIGNED + code2) * memory.get(at.get(first + 5) + own);
        float mean = plus(times(old1, beta1), times(gradient1, gradient));
        float square = plus(times(old2, beta2), times(gradient2, times(gradient, gradient)));
        float update = mean / (TornadoMath.sqrt(square) / memory.get(rate + 1) + epsilon);
        int to = at.get(first + 8) + i;
        memory.set(to, plus(times(memory.get(to), memory.get(rate + 2)), times(memory.get(rate), update)));
      }
    }
  }

  /** Moves one moment: the mean of the gradients, or of their squares. */
  static void moment(KernelContext context, FloatArray memory, ByteArray codes, FloatArray tables, IntArray at,
      IntArray call, float beta, float share) {
    int first = call.get(0);
    int entry = call.get(1);
    int size = call.get(2);
    int blocks = call.get(3);
    int table = call.get(4);
    int isSquare = call.get(5);
    float[] shared = context.allocateFloatLocalArray(GROUP);
    float[] values = new float[PER];
    int local = context.localIdx;
    int own = context.groupIdx;
    int tensor = own / blocks;
    int block = own % blocks;
    int codesFirst = at.get(entry);
    int absmax = at.get(entry + 1) + own;
    float scale = memory.get(absmax);
    float clip = memory.get(at.get(first + 7));
    float most = 0;
    for (int part = 0; part < PER; part++) {
      float value = 0;
      int inTensor = block * BLOCK + part * GROUP + local;
      if (inTensor < size) {
        int i = tensor * size + inTensor;
        float gradient = memory.get(at.get(first + 1) + i) * clip;
        if (TornadoMath.abs(gradient) < Float.POSITIVE_INFINITY) {
          float old = tables.get(table + (codes.get(codesFirst + i) & 255)) * scale;
          float term = isSquare == 1 ? times(gradient, gradient) : gradient;
          value = plus(times(old, beta), times(share, term));
        }
      }
      values[part] = value;
      most = TornadoMath.max(most, TornadoMath.abs(value));
    }
    shared[local] = most;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        shared[local] = TornadoMath.max(shared[local], shared[local + stride]);
      }
      context.localBarrier();
    }
    float largest = shared[0];
    float divisor = largest == 0 ? 1 : largest;
    if (local == 0) {
      memory.set(absmax, largest);
    }
    for (int part = 0; part < PER; part++) {
      int inTensor = block * BLOCK + part * GROUP + local;
      if (inTensor < size) {
        int code = nearest((float) ((double) values[part] / divisor), tables, table + 256);
        codes.set(codesFirst + tensor * size + inTensor, (byte) code);
      }
    }
  }

  private static float times(float x, float y) {
    return (float) ((double) x * (double) y);
  }

  private static float plus(float x, float y) {
    return (float) ((double) x + (double) y);
  }

  /** The number of midpoints below x. */
  private static int nearest(float x, FloatArray tables, int midpoints) {
    int code = 0;
    for (int step = 128; step > 0; step >>= 1) {
      if (x > tables.get(midpoints + code + step - 1)) {
        code += step;
      }
    }
    return code;
  }
}
