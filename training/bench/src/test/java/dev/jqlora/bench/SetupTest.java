package dev.jqlora.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.graph.Cost;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SetupTest {
  @Test
  void allIsClosedTheLastFirstWhateverOfItFails() {
    List<String> closed = new ArrayList<>();
    RuntimeException first = new IllegalArgumentException();
    RuntimeException second = new IllegalStateException();
    Setup setup = new Setup(new Contender() {
      @Override
      public void run() {}

      @Override
      public void close() {
        closed.add("subject");
      }
    }, new Cost(0, 0));
    setup.owning(() -> fail(closed, "earlier", second)).owning(() -> fail(closed, "later", first));
    assertSame(first, assertThrows(RuntimeException.class, setup::close));
    assertArrayEquals(new Throwable[]{second}, first.getSuppressed());
    assertEquals(List.of("later", "earlier", "subject"), closed);
  }

  private static void fail(List<String> closed, String what, RuntimeException failure) {
    closed.add(what);
    throw failure;
  }
}
