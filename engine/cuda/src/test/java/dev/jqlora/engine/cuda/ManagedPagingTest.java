package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.PagingSuite;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Paged states in managed memory, of a driver that moves single bytes: so each prefetch that is missing is seen. */
class ManagedPagingTest extends PagingSuite {
  private static final TensorType TYPE = TensorType.f32(4, 1000);
  private static final long PAGE = 4000;

  @Override
  protected Backend backend() {
    return TestDriver.unchecked(Map.of("managedPage", 1L));
  }

  @AfterEach
  void noKernelTouchesWhatWasNotPrefetched() {
    assertEquals(0, TestDriver.count("faults"));
    assertEquals(0, TestDriver.count("allocations"));
    assertEquals(0, TestDriver.count("resident"));
  }

  /** {@code state ← 2 · state}, layer by layer. */
  private static Program doubled() {
    Program.Builder program = new Program.Builder("doubled");
    Value doubled = Repeat.apply(program.graph(), 4, SavePolicy.NOTHING, List.of(),
        List.of(program.state("state", TYPE)), List.of(), (graph, _, _, slices, _) -> new Repeat.Result(List.of(),
            List.of(graph.apply(new Scale(2), slices.getFirst()))))
        .getFirst();
    return program.write("state", doubled).build();
  }

  @Test
  void aPageIsPrefetchedWhenItIsWantedAndSentBackForTheNext() {
    try (Backend backend = backend()) {
      long limit;
      try (Session session = backend.open(Long.MAX_VALUE)) {
        session.allocatePaged("state", TYPE, 4);
        limit = session.compile(doubled()).plan().arenaBytes() + 4032;
      }
      try (Session session = backend.open(limit)) {
        session.allocatePaged("state", TYPE, 4);
        session.compile(doubled()).run(Map.of());
        assertEquals(4 * PAGE, TestDriver.count("prefetchedToDevice"));
        assertEquals(3 * PAGE, TestDriver.count("prefetchedToHost"));
        assertEquals(4 * PAGE, session.paging().bytesIn());
        assertEquals(PAGE, TestDriver.count("resident"));
        assertTrue(TestDriver.count("peak") <= limit, TestDriver.count("peak") + " of " + limit);
        assertEquals(limit, session.peakBytes());
      }
    }
  }

  /** A real driver moves more than it is asked to: the bytes are right all the same. */
  @ParameterizedTest
  @ValueSource(longs = {4096, 64 << 10})
  void neighboursOfAPageMayMoveWithIt(long page) {
    try (Backend backend = TestDriver.unchecked(Map.of("managedPage", page)); Session session = backend.open(8192)) {
      session.allocatePaged("state", TYPE, 4);
      MemorySegment ones = MemorySegment.ofArray(new float[4000]);
      for (int i = 0; i < 4000; i++) {
        ones.setAtIndex(ValueLayout.JAVA_FLOAT, i, i);
      }
      session.write("state", 0, ones);
      session.compile(doubled()).run(Map.of());
      float[] doubled = new float[4000];
      session.read("state", 0, MemorySegment.ofArray(doubled));
      for (int i = 0; i < 4000; i++) {
        assertEquals(2 * i, doubled[i]);
      }
      long along = TestDriver.count("prefetchedToDevice") - session.paging().bytesIn();
      assertTrue(along > 0 || TestDriver.count("faults") > 0, "no neighbour came along or was missed");
    }
    TestDriver.use();
  }
}
