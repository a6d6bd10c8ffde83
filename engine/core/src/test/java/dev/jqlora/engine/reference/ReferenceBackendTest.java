package dev.jqlora.engine.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ReferenceBackendTest {
  /** A session is for one thread at a time, not for one alone. */
  @Test
  void anotherThreadGoesOn() {
    try (ReferenceBackend backend = new ReferenceBackend(); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("x", TensorType.u8(2));
      CompletableFuture.runAsync(() -> session.write("x", 0, MemorySegment.ofArray(new byte[]{1, 2}))).join();
      byte[] read = new byte[2];
      session.read("x", 0, MemorySegment.ofArray(read));
      assertArrayEquals(new byte[]{1, 2}, read);
    }
  }
}
