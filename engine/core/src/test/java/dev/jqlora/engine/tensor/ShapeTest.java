package dev.jqlora.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class ShapeTest {
  private static final int MOST = Integer.MAX_VALUE;

  @Test
  void elementsAreTheProductOfTheExtents() {
    assertEquals(1, Shape.SCALAR.elements());
    assertEquals(24, Shape.of(2, 3, 4).elements());
    assertEquals((long) MOST * MOST, Shape.of(MOST, MOST).elements());
    assertEquals(1L << 62, Shape.of(1 << 30, 1 << 30, 4).elements());
  }

  @Test
  void anEmptyTensorIsEmptyWhateverItsOtherExtents() {
    assertEquals(0, Shape.of(MOST, MOST, MOST, 0).elements());
    assertEquals(0, TensorType.f32(MOST, MOST, MOST, 0).bytes());
  }

  @Test
  void tooManyElementsAreNamed() {
    assertEquals("too many elements in shape [1073741824, 1073741824, 8]",
        assertThrows(ArithmeticException.class, () -> Shape.of(1 << 30, 1 << 30, 8).elements()).getMessage());
  }
}
