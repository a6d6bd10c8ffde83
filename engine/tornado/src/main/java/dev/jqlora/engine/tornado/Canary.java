package dev.jqlora.engine.tornado;

import dev.jqlora.engine.error.JqloraException;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.WorkerGrid1D;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A small kernel with all that has gone wrong silently on some device: if its numbers are right, others' can be trusted. */
final class Canary {
  private static final int GROUP = 64;
  private static final int COUNT = 2 * GROUP;

  private Canary() {}

  /** Throws JqloraException of kind BACKEND unless the device computes what Java would. */
  static void check(String device) {
    IntArray in = new IntArray(COUNT);
    IntArray out = new IntArray(COUNT);
    for (int i = 0; i < COUNT; i++) {
      in.set(i, -7 * i * i - i);
    }
    TaskGraph graph = new TaskGraph("canary").transferToDevice(DataTransferMode.EVERY_EXECUTION, in)
        .task("t", Canary::observe, new KernelContext(), in, out).transferToHost(DataTransferMode.EVERY_EXECUTION, out);
    WorkerGrid1D grid = new WorkerGrid1D(COUNT);
    grid.setLocalWork(GROUP, 1, 1);
    try (TornadoExecutionPlan plan = new TornadoExecutionPlan(graph.snapshot())) {
      plan.withGridScheduler(new GridScheduler("canary.t", grid)).execute();
    } catch (TornadoExecutionPlanException e) {
      throw new IllegalStateException(e);
    } catch (RuntimeException e) {
      throw Failure.of("run a small kernel on " + device, e);
    }
    for (int i = 0; i < COUNT; i++) {
      int expected = expected(in, i);
      if (out.get(i) != expected) {
        throw new JqloraException(JqloraException.Kind.BACKEND,
            "%s computes wrongly through TornadoVM (%d instead of %d): update its driver or choose another device"
                .formatted(device, out.get(i), expected));
      }
    }
  }

  /** Sums over the group through local memory, masked shifts of negative numbers, and a private array. */
  static void observe(KernelContext context, IntArray in, IntArray out) {
    int[] shared = context.allocateIntLocalArray(GROUP);
    int[] own = new int[4];
    for (int j = 0; j < 4; j++) {
      own[j] = j;
    }
    int local = context.localIdx;
    shared[local] = (in.get(context.globalIdx) >> 3) & 0xffff;
    context.localBarrier();
    for (int stride = GROUP / 2; stride > 0; stride >>= 1) {
      if (local < stride) {
        shared[local] += shared[local + stride];
      }
      context.localBarrier();
    }
    for (int j = 0; j < 4; j++) {
      own[j] += shared[0] * (local & 3);
    }
    out.set(context.globalIdx, own[0] + own[1] + own[2] + own[3]);
  }

  private static int expected(IntArray in, int index) {
    int sum = 0;
    for (int i = 0; i < GROUP; i++) {
      sum += (in.get(index / GROUP * GROUP + i) >> 3) & 0xffff;
    }
    return 6 + 4 * sum * (index % GROUP & 3);
  }
}
