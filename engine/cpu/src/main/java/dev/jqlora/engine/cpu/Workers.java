package dev.jqlora.engine.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A fixed number of threads that take the numbered tasks of one job at a time, the caller among them. Which thread runs
 * a task is left open, so a kernel's result must depend on the task's number alone: each task writes what no other task
 * writes, and partial sums are kept by task and combined in order.
 */
final class Workers implements AutoCloseable {
  /** One task of a job. */
  @FunctionalInterface
  interface Task {
    /**
     * @param task number of the task
     * @param worker number of the thread that runs it, below {@link #threads()}: an index of scratch memory, nothing else
     */
    void run(int task, int worker);
  }

  /** A run of elements. */
  @FunctionalInterface
  interface Range {
    void run(long first, long end);
  }

  /** Elements that make a task worth handing over: some microseconds of memory traffic. */
  private static final int GRAIN = 1 << 14;

  /** Kernels follow each other within microseconds, so a short wait costs less than being woken. */
  private static final int SPINS = 2_000;

  private final Helper[] helpers;
  private final ReentrantLock oneJob = new ReentrantLock();
  private volatile @Nullable Job current;
  private volatile boolean closed;

  /** @param threads including the caller, at least 1 */
  Workers(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    }
    helpers = new Helper[threads - 1];
    for (int i = 0; i < helpers.length; i++) {
      helpers[i] = new Helper(i + 1);
      helpers[i].start();
    }
  }

  int threads() {
    return helpers.length + 1;
  }

  /** {@link #parallel(int, Task)} for tasks that need no scratch memory. */
  void parallel(int tasks, IntConsumer task) {
    parallel(tasks, (number, worker) -> task.accept(number));
  }

  /** Runs {@code row} for every row; a task takes as many rows of the given width as are worth it. */
  void rows(int rows, int width, IntConsumer row) {
    int perTask = Math.max(1, GRAIN / Math.max(width, 1));
    parallel(Math.ceilDiv(rows, perTask), task -> {
      for (int i = task * perTask; i < Math.min(rows, (task + 1) * perTask); i++) {
        row.accept(i);
      }
    });
  }

  /** Runs {@code range} over all elements in pieces whose bounds depend on the count alone. */
  void ranges(long elements, Range range) {
    parallel(Math.toIntExact(Math.ceilDiv(elements, GRAIN)),
        task -> range.run((long) task * GRAIN, Math.min(elements, (task + 1L) * GRAIN)));
  }

  /**
   * Runs tasks 0 to {@code tasks - 1} and returns when all are done. The first exception of a task is thrown here, and
   * tasks not yet begun are left out. A job started by a task would wait for itself: it is refused.
   */
  void parallel(int tasks, Task task) {
    if (closed) {
      throw new IllegalStateException("workers are closed");
    }
    if (oneJob.isHeldByCurrentThread() || Thread.currentThread() instanceof Helper) {
      throw new IllegalStateException("a task cannot start a job");
    }
    oneJob.lock();
    try {
      Job job = new Job(tasks, task, Thread.currentThread());
      if (helpers.length == 0 || tasks <= 1) {
        job.work(0);
      } else {
        current = job;
        for (int i = 0; i < Math.min(helpers.length, tasks - 1); i++) {
          LockSupport.unpark(helpers[i]);
        }
        job.work(0);
        job.await();
        current = null;
      }
      job.rethrow();
    } finally {
      oneJob.unlock();
    }
  }

  /** Ends the helping threads; a job under way is finished first. */
  @Override
  public void close() {
    oneJob.lock();
    try {
      closed = true;
      for (Thread helper : helpers) {
        LockSupport.unpark(helper);
      }
    } finally {
      oneJob.unlock();
    }
  }

  private final class Helper extends Thread {
    private final int worker;

    Helper(int worker) {
      super("jqlora-cpu-" + worker);
      this.worker = worker;
      setDaemon(true);
    }

    @Override
    public void run() {
      Job last = null;
      int spins = 0;
      while (!closed) {
        Job job = current;
        if (job != null && job != last) {
          last = job;
          job.work(worker);
          spins = 0;
        } else if (spins < SPINS) {
          spins++;
          Thread.onSpinWait();
        } else {
          last = null;
          LockSupport.park(Workers.this);
          spins = 0;
        }
      }
    }
  }

  private static final class Job {
    private final int tasks;
    private final Task task;
    private final Thread caller;
    private final AtomicInteger taken = new AtomicInteger();
    private final AtomicInteger finished = new AtomicInteger();
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    Job(int tasks, Task task, Thread caller) {
      this.tasks = tasks;
      this.task = task;
      this.caller = caller;
    }

    void work(int worker) {
      for (int number = taken.getAndIncrement(); number < tasks; number = taken.getAndIncrement()) {
        try {
          if (failure.get() == null) {
            task.run(number, worker);
          }
        } catch (Throwable e) {
          failure.compareAndSet(null, e);
        } finally {
          if (finished.incrementAndGet() == tasks) {
            LockSupport.unpark(caller);
          }
        }
      }
    }

    void await() {
      for (int spins = 0; finished.get() < tasks; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
    }

    void rethrow() {
      Throwable thrown = failure.get();
      switch (thrown) {
        case null -> {
        }
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        default -> throw new IllegalStateException(thrown);
      }
    }
  }
}
