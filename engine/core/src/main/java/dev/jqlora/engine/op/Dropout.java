package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Inverted dropout: each element is kept with probability {@code 1 - p} and then divided by it, else 0. The mask is a
 * function of (seed, index, site, element) by an integer hash, so a recomputation and the gradient, which is the same op
 * on dy, meet the same mask, and any backend can make it.
 *
 * <p>Inputs: x F32 or BF16, seed I32 scalar (another for each micro-batch), index I32 scalar (the layer). {@code site} tells apart
 * several dropouts of one layer.
 */
public record Dropout(float p, int site) implements Primitive, Differentiable, MixedPrecision {
  /** Constants of {@link #mix}, for kernels that compute it for many elements at once. */
  public static final int INCREMENT = 0x9e3779b9;
  public static final int FIRST_FACTOR = 0x7feb352d;
  public static final int SECOND_FACTOR = 0x846ca68b;
  /** The bits of an element's hash that decide. */
  public static final int HASH_MASK = 0xffffff;

  public Dropout {
    if (!(p >= 0 && p < 1)) {
      throw new IllegalArgumentException("a dropout probability must be at least 0 and below 1, got " + p);
    }
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 3);
    MixedPrecision.checkStored(name(), "x", inputs.get(0));
    ShapeException.check(inputs.get(1).equals(TensorType.i32()), "Dropout: seed must be an I32 scalar, got %s",
        inputs.get(1));
    ShapeException.check(inputs.get(2).equals(TensorType.i32()), "Dropout: index must be an I32 scalar, got %s",
        inputs.get(2));
    return inputs.subList(0, 1);
  }

  /** What the hash of all but the element's number gives: computed once for a tensor. */
  public int stream(int seed, int index) {
    return mix(site + mix(index + mix(seed)));
  }

  /** Whether an element is kept: its hash, as a number from 0 up to 1 in steps of 2⁻²⁴, is at least p. */
  public boolean keeps(int stream, int element) {
    return (mix(stream + element) & HASH_MASK) >= leastKept();
  }

  /** The least hash of an element that is kept. */
  public int leastKept() {
    return (int) Math.ceil(p * 0x1p24);
  }

  /** A bijection of 32 bits in which each input bit moves about half of the output bits. */
  public static int mix(int x) {
    int h = x + INCREMENT;
    h = (h ^ (h >> 16 & 0xffff)) * FIRST_FACTOR;
    h = (h ^ (h >> 15 & 0x1ffff)) * SECOND_FACTOR;
    return h ^ (h >> 16 & 0xffff);
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 y = Array64.zeros(outputs.getFirst());
    int stream = stream((int) inputs.get(1).data()[0], (int) inputs.get(2).data()[0]);
    for (int i = 0; i < y.data().length; i++) {
      y.data()[i] = keeps(stream, i) ? inputs.getFirst().data()[i] / (1 - p) : 0;
    }
    return List.of(y);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(gradient.builder().apply(this, gradient.of(0), gradient.input(1), gradient.input(2)), null,
        null);
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == 0;
  }

  @Override
  public boolean cheap() {
    return true;
  }
}
