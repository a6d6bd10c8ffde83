package dev.jqlora.engine.testkit;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Random tensors from a fixed seed. */
public final class Samples {
  /** 2⁶⁴ by the golden ratio: seeds near each other begin with numbers near each other. */
  private static final long APART = 0x9e3779b97f4a7c15L;

  private final Random random;
  private final int variant;

  public Samples(long seed) {
    this(seed, 0);
  }

  /** @param variant tells samples for one purpose apart: what is made of one differs from what is made of another */
  public Samples(long seed, int variant) {
    random = new Random(seed + variant * APART);
    this.variant = variant;
  }

  public int variant() {
    return variant;
  }

  /** Numbers from -1 to 1, rounded to the element type. */
  public Tensor uniform(TensorType type) {
    return uniform(type, -1, 1);
  }

  public Tensor uniform(TensorType type, double from, double to) {
    Tensor tensor = Tensor.allocate(Arena.ofAuto(), type);
    for (long i = 0; i < type.elements(); i++) {
      tensor.set(i, from + (to - from) * random.nextDouble());
    }
    return tensor;
  }

  /** Whole numbers at least 0 and below a bound. */
  public Tensor indices(TensorType type, int bound) {
    Tensor tensor = Tensor.allocate(Arena.ofAuto(), type);
    for (long i = 0; i < type.elements(); i++) {
      tensor.set(i, random.nextInt(bound));
    }
    return tensor;
  }

  /** One array per input of a graph: reals from -1 to 1; whole numbers are all 0. */
  public List<Array64> inputsOf(Graph graph) {
    List<Array64> arrays = new ArrayList<>();
    graph.inputs().forEach(input -> arrays
        .add(input.type().dtype().isFloat() ? Array64.of(uniform(input.type())) : Array64.zeros(input.type())));
    return arrays;
  }
}
