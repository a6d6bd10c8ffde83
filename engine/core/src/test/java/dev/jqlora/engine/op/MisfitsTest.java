package dev.jqlora.engine.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Sizes and types that no run could do anything right with are refused where the graph is built. */
class MisfitsTest {
  private static void assertRefused(String message, Executable build) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, build).getMessage());
  }

  @Test
  void nf4BlocksHaveTheSizesThatThereAre() {
    String message = "NF4 block size is a power of two from 32 to 4096, not ";
    assertRefused(message + 0, () -> new Nf4Weight(4, 4, 0, false));
    assertRefused(message + 48, () -> new Nf4Quantize(48));
    assertRefused(message + 8192, () -> new Nf4Dequantize(4, 4, 8192));
  }

  @Test
  void theScalesOfScalesAreF32() {
    List<TensorType> types = List.of(TensorType.u8(300), TensorType.f32(256), TensorType.f32(2), TensorType.f32());
    List<String> names = List.of("codes", "map", "nested absmax", "offset");
    assertEquals(List.of(TensorType.f32(300)), new Nf4Absmax().infer(types));
    for (int i = 1; i < types.size(); i++) {
      List<TensorType> wrong = new ArrayList<>(types);
      TensorType type = new TensorType(DType.BF16, types.get(i).shape());
      wrong.set(i, type);
      assertRefused("Nf4Absmax: %s must be [F32], got %s".formatted(names.get(i), type),
          () -> new Nf4Absmax().infer(wrong));
    }
  }

  @Test
  void extentsBeyondAnIntAreNotWrappedAround() {
    assertRefused("Slice: axis 0 from 2147483647, 2 long, is not within u8[8]",
        () -> new Slice(0, Integer.MAX_VALUE, 2).infer(List.of(TensorType.u8(8))));
    TensorType half = TensorType.u8(1 << 30);
    assertEquals(Shape.of(1 << 30), new Concat(0, 1).infer(List.of(half)).getFirst().shape());
    assertRefused("Concat: 4294967296 elements along axis 0 are more than an axis holds",
        () -> new Concat(0, 4).infer(List.of(half, half, half, half)));
  }
}
