package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.TensorType;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Logits of some rows at a time in scratch memory, and what is made of a row of them: a group a row. */
final class Logits {
  private static final int GROUP = GraphWriter.GROUP;
  /** Elements of scratch memory that logits take, unless one row alone takes more: 64 MB. */
  static final int MOST = 1 << 24;

  private Logits() {}

  /** What is done with some rows of operand 0 and their logits. */
  interface Rows {
    void emit(int row, int rows);
  }

  /**
   * Goes through all rows of operand 0, as many at a time as have their logits in the scratch memory. Many rows of a
   * large vocabulary have more tasks than a graph takes, so each time may begin another graph.
   *
   * @param most elements that logits take, unless one row alone takes more
   */
  static void forRows(Launch launch, int most, int vocab, Rows work) {
    int n = launch.type(0).shape().dim(0);
    int step = rows(launch.type(0), most, vocab);
    for (int row = 0; row < n; row += step) {
      launch.goOn();
      work.emit(row, Math.min(step, n - row));
    }
  }

  /** Rows of x whose logits are held at once. */
  private static int rows(TensorType x, int most, int vocab) {
    return Math.max(1, Math.min(x.shape().dim(0), most / Math.max(1, vocab)));
  }

  static long scratchBytes(TensorType x, int most, int vocab) {
    return 4L * rows(x, most, vocab) * vocab;
  }

  /** Adds the task for the logits of rows of operand 0 by the head in operand 1, into the scratch memory. */
  static void emit(Launch launch, int row, int rows) {
    int width = launch.type(0).shape().dim(1);
    int vocab = launch.type(1).shape().dim(0);
    Products.emit(launch, new Products.Size(1, rows, vocab, width),
        new Products.Matrix(0, launch.at(0, (long) row * width), Products.Layout.plain(width)),
        new Products.Matrix(1, launch.at(1), Products.Layout.transposed(width)), launch.scratch(),
        launch.at(launch.scratch()), Products.Sum.NONE);
  }

  /** The same by a head in NF4. */
  static void emitNf4(Launch launch, Nf4Weight head, int row, int rows) {
    Products.emitNf4(launch, head, true, rows, launch.at(0, (long) row * head.in()), launch.at(launch.scratch()));
  }

  /** Adds the task for the losses of rows of logits, and for the logits' gradients where they are wanted. */
  static void loss(Launch launch, int labels, int row, int rows, int vocab, boolean gradient) {
    launch.groups(rows).task(launch.id(), Logits::crossEntropy, launch.context(), launch.memory(),
        launch.ints(labels), launch.tables(), launch.at(),
        launch.call(launch.at(launch.scratch()), launch.at(labels, row),
            launch.at(launch.out(1), row), vocab, gradient ? 1 : 0));
  }

  /** Adds the task for the sum of the losses of all rows. */
  static void total(Launch launch) {
    launch.groups(1).task(launch.id(), SumOfSquaresTornado::total, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.at(launch.out(1)), launch.at(launch.out(0)), launch.type(0).shape().dim(0)));
  }

  /** Adds the task for the largest logits of rows. */
  static void argMax(Launch launch, int row, int rows, int vocab) {
    launch.groups(rows).task(launch.id(), Logits::largest, launch.context(), launch.memory(),
        launch.ints(launch.out(0)), launch.at(),
        launch.call(launch.at(launch.scratch()), launch.at(launch.out(0), row), vocab));
  }

  /**
   * {@code nll} of each row, 0 where it has no target, NaN where that is beyond the vocabulary; with {@code gradient} the
   * logits become the loss's gradient.
   */
  static void crossEntropy(KernelContext context, FloatArray memory, IntArray labels, FloatArray tables, IntArray at,
      IntArray call) {
    int entry = call.get(0);
    int labelEntry = call.get(1);
    int nllEntry = call.get(2);
    int vocab = call.get(3);
    int gradient = call.get(4);
    float[] shared = context.allocateFloatLocalArray(GROUP);
    int local = context.localIdx;
    int row = context.groupIdx;
    int first = at.get(entry) + row * vocab;
    int label = labels.get(at.get(labelEntry) + row);
    float most = Float.NEGATIVE_INFINITY;
    for (int i = local; i < vocab; i += GROUP) {
      most = TornadoMath.max(most, memory.get(first + i));
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
    context.localBarrier();
    float part = 0;
    for (int i = local; i < vocab; i += GROUP) {
      part += TornadoMath.exp(memory.get(first + i) - largest);
    }
    shared[local] = part;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        shared[local] += shared[local + stride];
      }
      context.localBarrier();
    }
    float sum = shared[0];
    if (local == 0) {
      float loss = 0;
      if (label >= vocab) {
        loss = tables.get(Tables.NAN);
      } else if (label >= 0) {
        loss = TornadoMath.log(sum) - (memory.get(first + label) - largest);
      }
      memory.set(at.get(nllEntry) + row, loss);
    }
    // The others overwrite what the first work-item reads of the row, and a local barrier orders local memory alone.
    context.globalBarrier();
    if (gradient == 1) {
      for (int i = local; i < vocab; i += GROUP) {
        float p = TornadoMath.exp(memory.get(first + i) - largest) / sum;
        float target = i == label ? 1 : 0;
        memory.set(first + i, label >= 0 ? p - target : 0);
      }
    }
  }

  /** The place of the largest logit of each row, the lowest among equals, and 0 where no logit is a number. */
  static void largest(KernelContext context, FloatArray memory, IntArray ids, IntArray at, IntArray call) {
    int entry = call.get(0);
    int idEntry = call.get(1);
    int vocab = call.get(2);
    float[] values = context.allocateFloatLocalArray(GROUP);
    int[] places = context.allocateIntLocalArray(GROUP);
    int local = context.localIdx;
    int row = context.groupIdx;
    int first = at.get(entry) + row * vocab;
    float most = Float.NEGATIVE_INFINITY;
    int place = 0;
    for (int i = local; i < vocab; i += GROUP) {
      float value = memory.get(first + i);
      if (value > most) {
        most = value;
        place = i;
      }
    }
    values[local] = most;
    places[local] = place;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        float other = values[local + stride];
        int otherPlace = places[local + stride];
        if (other > values[local] || (other == values[local] && otherPlace < places[local])) {
          values[local] = other;
          places[local] = otherPlace;
        }
      }
      context.localBarrier();
    }
    if (local == 0) {
      ids.set(at.get(idEntry) + row, places[0]);
    }
  }
}
