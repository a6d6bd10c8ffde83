package dev.jqlora.engine.tornado;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;

class HashesTest {
  @Test
  void whatHasAHashCodeThatIsTakenIsMadeAgain() {
    Hashes hashes = new Hashes();
    hashes.add(1, 2);
    // An Integer is its own hash code.
    Iterator<Integer> made = List.of(1, 2, 3, 4).iterator();
    assertEquals(3, hashes.make(made::next));
    assertEquals(4, hashes.make(made::next));
    hashes.add(3);
    assertThrows(IllegalStateException.class, () -> hashes.add(3));
  }
}
