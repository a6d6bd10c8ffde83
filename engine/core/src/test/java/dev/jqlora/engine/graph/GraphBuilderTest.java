package dev.jqlora.engine.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A value is of one graph: another's is refused, though it may have the same id, type and name. */
class GraphBuilderTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value x = builder.input("x", TensorType.f32(3));

  @Test
  void aValueOfAnotherGraphIsRefused() {
    GraphBuilder other = new GraphBuilder();
    Value foreign = other.input("x", TensorType.f32(3));
    assertEquals(x, foreign);
    String message = "%0:f32[3] (x) is a value of another graph";
    assertRefused(message, () -> builder.apply(new Add(), x, foreign));
    assertRefused(message, () -> builder.build(List.of(foreign)));
    Node node = other.build(List.of(other.apply(new Scale(2), foreign))).nodes().getFirst();
    assertRefused(message, () -> builder.copy(node, node.inputs()));
  }

  /** The inner body's inputs have the ids of the outer one's. */
  @Test
  void theBodyOfARepeatReadsNothingFromOutside() {
    List<Value> outer = List.of(x);
    assertRefused("%1:f32[3] (x) is a value of another graph",
        () -> Repeat.apply(builder, 2, SavePolicy.NOTHING, outer, List.of(), List.of(),
            (body, _, carried, _, _) -> new Repeat.Result(Repeat.apply(body, 3, SavePolicy.NOTHING, carried, List.of(),
                List.of(),
                (inner, _, innermost, _, _) -> new Repeat.Result(
                    List.of(inner.apply(new Add(), innermost.getFirst(), carried.getFirst())), List.of())),
                List.of())));
    assertRefused("%0:f32[3] (x) is a value of another graph",
        () -> Repeat.apply(builder, 2, SavePolicy.NOTHING, outer, List.of(), List.of(),
            (_, _, _, _, _) -> new Repeat.Result(outer, List.of())));
  }

  private static void assertRefused(String message, Runnable build) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, build::run).getMessage());
  }
}
