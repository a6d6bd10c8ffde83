package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Embedding;
import dev.jqlora.engine.op.EmbeddingGradient;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Ops that look up rows by ids or labels, given three of which the middle one names nothing: it is refused, or shows in the
 * result as the op says, but never stands for what lies elsewhere in memory.
 */
final class BadIndexRun {
  private static final int VOCABULARY = 12;
  private static final int WIDTH = 4;
  private static final TensorType INDICES = TensorType.i32(3);

  private final Session session;
  private final Tensor rows;
  private final Tensor table;

  BadIndexRun(Session session) {
    this.session = session;
    Samples samples = new Samples(1);
    rows = samples.uniform(TensorType.f32(3, WIDTH));
    table = samples.uniform(TensorType.f32(VOCABULARY, WIDTH));
  }

  /** Throws AssertionError unless all is as the ops say. */
  void check() {
    for (int bad : new int[]{-1, VOCABULARY, Integer.MAX_VALUE}) {
      checkEmbedding(bad);
      checkEmbeddingGradient(bad);
    }
    checkLoss(VOCABULARY);
    checkLoss(Integer.MAX_VALUE);
  }

  private void checkEmbedding(int id) {
    unlessRefused(notAnId(id), new Embedding(), table, indices(3, id, 0)).ifPresent(results -> {
      float[] expected = run(new Embedding(), table, indices(3, 5, 0)).getFirst();
      Arrays.fill(expected, WIDTH, 2 * WIDTH, Float.NaN);
      assertArrayEquals(expected, results.getFirst());
    });
  }

  private void checkEmbeddingGradient(int id) {
    unlessRefused(notAnId(id), new EmbeddingGradient(VOCABULARY), indices(3, id, 0), rows).ifPresent(results -> {
      float[] expected = new float[VOCABULARY * WIDTH];
      System.arraycopy(rows.toFloats(), 0, expected, 3 * WIDTH, WIDTH);
      System.arraycopy(rows.toFloats(), 2 * WIDTH, expected, 0, WIDTH);
      assertArrayEquals(expected, results.getFirst());
    });
  }

  private void checkLoss(int label) {
    LinearCrossEntropy op = new LinearCrossEntropy(false, false);
    unlessRefused("label %d is not among the %d ids".formatted(label, VOCABULARY), op, rows, table,
        indices(3, label, 0)).ifPresent(results -> {
          float[] expected = run(op, rows, table, indices(3, LinearCrossEntropy.IGNORED, 0)).get(1);
          expected[1] = Float.NaN;
          assertArrayEquals(new float[]{Float.NaN}, results.get(0));
          assertArrayEquals(expected, results.get(1));
        });
  }

  private static String notAnId(int id) {
    return "token id %d is not among the table's %d rows".formatted(id, VOCABULARY);
  }

  private static Tensor indices(int... indices) {
    return Tensor.of(INDICES, indices);
  }

  private Optional<List<float[]>> unlessRefused(String message, Op op, Tensor... inputs) {
    try {
      return Optional.of(run(op, inputs));
    } catch (IllegalArgumentException e) {
      assertEquals(message, e.getMessage());
      return Optional.empty();
    }
  }

  private List<float[]> run(Op op, Tensor... inputs) {
    Program.Builder program = new Program.Builder("look up");
    List<Value> values = new ArrayList<>();
    Map<String, Tensor> feeds = new HashMap<>();
    for (Tensor input : inputs) {
      String name = "input " + values.size();
      values.add(program.feed(name, input.type()));
      feeds.put(name, input);
    }
    List<Value> results = program.graph().applyAll(op, values);
    results.forEach(result -> program.fetch(name(results, result), result));
    Map<String, Tensor> fetched = session.compile(program.build()).run(feeds);
    return results.stream().map(result -> Objects.requireNonNull(fetched.get(name(results, result))).toFloats())
        .toList();
  }

  private static String name(List<Value> results, Value result) {
    return "output " + results.indexOf(result);
  }
}
