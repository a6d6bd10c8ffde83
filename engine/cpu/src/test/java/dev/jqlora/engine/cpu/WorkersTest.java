package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7})
  void everyTaskRunsOnceWithAnIndexOfItsThread(int threads) {
    try (Workers workers = new Workers(threads)) {
      for (int tasks : new int[]{0, 1, 2, 100}) {
        for (int repeat = 0; repeat < 200; repeat++) {
          AtomicIntegerArray runs = new AtomicIntegerArray(tasks);
          AtomicIntegerArray workersSeen = new AtomicIntegerArray(threads);
          workers.parallel(tasks, (task, worker) -> {
            runs.incrementAndGet(task);
            workersSeen.incrementAndGet(worker);
          });
          int[] counts = new int[tasks];
          Arrays.setAll(counts, runs::get);
          int[] once = new int[tasks];
          Arrays.fill(once, 1);
          assertArrayEquals(once, counts);
        }
      }
    }
  }

  @Test
  void aTasksExceptionReachesTheCallerAndTheWorkersGoOn() {
    try (Workers workers = new Workers(3)) {
      for (int repeat = 0; repeat < 50; repeat++) {
        IllegalStateException thrown = assertThrows(IllegalStateException.class, () -> workers.parallel(64, task -> {
          if (task == 5) {
            throw new IllegalStateException("task five");
          }
        }));
        assertEquals("task five", thrown.getMessage());
      }
      assertThrows(StackOverflowError.class, () -> workers.parallel(2, task -> {
        throw new StackOverflowError();
      }));
      workers.parallel(8, task -> {
      });
    }
  }

  @Test
  void aJobWithinATaskIsRefused() {
    for (int threads = 1; threads <= 2; threads++) {
      try (Workers workers = new Workers(threads)) {
        assertThrows(IllegalStateException.class,
            () -> workers.parallel(4, task -> workers.parallel(1, inner -> {
            })));
      }
    }
  }

  @Test
  void closedWorkersRefuseAndNoThreadsIsAnError() {
    Workers workers = new Workers(2);
    workers.close();
    assertThrows(IllegalStateException.class, () -> workers.parallel(1, task -> {
    }));
    assertThrows(IllegalArgumentException.class, () -> new Workers(0));
  }

  @Test
  void jobsOfSeveralCallersDoNotMix() throws Exception {
    try (Workers workers = new Workers(3)) {
      AtomicIntegerArray counts = new AtomicIntegerArray(4);
      Thread[] callers = new Thread[4];
      for (int i = 0; i < callers.length; i++) {
        int caller = i;
        callers[i] = Thread.ofPlatform().start(() -> {
          for (int repeat = 0; repeat < 200; repeat++) {
            workers.parallel(10, task -> counts.incrementAndGet(caller));
          }
        });
      }
      for (int i = 0; i < callers.length; i++) {
        callers[i].join();
        assertEquals(2000, counts.get(i));
      }
    }
  }
}
