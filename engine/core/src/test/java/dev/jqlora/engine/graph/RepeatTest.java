package dev.jqlora.engine.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class RepeatTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value x = builder.input("x", TensorType.f32(3));
  private final Value y = builder.input("y", TensorType.f32(3));

  private List<Value> repeat(Repeat.Body body) {
    return Repeat.apply(builder, 2, SavePolicy.NOTHING, List.of(x, y), List.of(), List.of(), body);
  }

  /** Else the first stacked value would be taken for a carried one, or the other way round. */
  @Test
  void aBodyHandsOnAsManyValuesAsItGot() {
    ShapeException fewer = assertThrows(ShapeException.class,
        () -> repeat((_, _, carried, _, _) -> new Repeat.Result(carried.subList(0, 1), carried)));
    assertEquals("Repeat: the body must return 2 carried values, got 1", fewer.getMessage());
    ShapeException more = assertThrows(ShapeException.class,
        () -> repeat((_, _, carried, _, _) -> new Repeat.Result(
            List.of(carried.get(0), carried.get(1), carried.get(0)), List.of())));
    assertEquals("Repeat: the body must return 2 carried values, got 3", more.getMessage());
  }

  @Test
  void theTextIsTheSameInEveryLanguage() {
    Graph graph = builder.build(repeat((_, _, carried, _, _) -> new Repeat.Result(carried, List.of())));
    String text = graph.dump();
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("ar-u-nu-arab"));
    try {
      assertEquals(text, graph.dump());
    } finally {
      Locale.setDefault(before);
    }
  }
}
