package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Runs a body {@code count} times: over decoder layers, or over blocks of tokens.
 *
 * <p>Inputs: {@code carried} values that each iteration hands to the next, then {@code stacked} values of shape
 * {@code [count, ...]} of which iteration i reads slice i, then shared values that all iterations read. The body's inputs
 * are the iteration's index (an I32 scalar), the carried values, the slices and the shared values; its outputs are the
 * carried values for the next iteration, then values that are stacked. Outputs: the last carried values, then the stacked
 * outputs {@code [count, ...]}.
 *
 * @param reverse iterations run from count - 1 down to 0
 * @param save which values of the body its gradient finds stacked instead of computing them again
 */
public record Repeat(int count, Graph body, int carried, int stacked, boolean reverse, SavePolicy save) implements Op {
  public Repeat {
    if (count < 1 || carried < 0 || stacked < 0 || body.inputs().size() < 1 + carried + stacked
        || body.outputs().size() < carried) {
      throw new IllegalArgumentException("malformed Repeat");
    }
  }

  /** Builds the body of a Repeat. */
  @FunctionalInterface
  public interface Body {
    Result build(GraphBuilder builder, Value index, List<Value> carried, List<Value> slices, List<Value> shared);
  }

  /** What a body hands on and what it stacks. */
  public record Result(List<Value> carried, List<Value> stacked) {}

  /** Appends a Repeat; returns its outputs: the last carried values, then the stacked ones. */
  public static List<Value> apply(GraphBuilder builder, int count, SavePolicy save, List<Value> carried,
      List<Value> stacked, List<Value> shared, Body body) {
    GraphBuilder inner = new GraphBuilder();
    Value index = inner.input("index", TensorType.i32());
    List<Value> innerCarried = carried.stream().map(value -> inner.input(value.name(), value.type())).toList();
    List<Value> slices = stacked.stream().map(value -> inner.input(value.name(), sliceType(value.type(), count)))
        .toList();
    List<Value> innerShared = shared.stream().map(value -> inner.input(value.name(), value.type())).toList();
    Result result = body.build(inner, index, innerCarried, slices, innerShared);
    ShapeException.check(result.carried().size() == carried.size(),
        "Repeat: the body must return %d carried values, got %d", carried.size(), result.carried().size());
    List<Value> outputs = new ArrayList<>(result.carried());
    outputs.addAll(result.stacked());
    Repeat repeat = new Repeat(count, inner.build(outputs), carried.size(), stacked.size(), false, save);
    List<Value> arguments = new ArrayList<>(carried);
    arguments.addAll(stacked);
    arguments.addAll(shared);
    return builder.applyAll(repeat, arguments);
  }

  private static TensorType sliceType(TensorType type, int count) {
    ShapeException.check(type.shape().rank() > 0 && type.shape().dim(0) == count,
        "Repeat: a stacked input must have %d slices, got %s", count, type);
    return type.withShape(type.shape().slice());
  }

  /** The same with another body, which takes the same inputs. */
  public Repeat withBody(Graph other) {
    return new Repeat(count, other, carried, stacked, reverse, save);
  }

  /** Of a list with an entry for each input of the Repeat, those of the carried values. */
  public <T> List<T> carriedOf(List<T> inputs) {
    return inputs.subList(0, carried);
  }

  /** Likewise those of the stacked values. */
  public <T> List<T> stackedOf(List<T> inputs) {
    return inputs.subList(carried, carried + stacked);
  }

  /** Likewise those of the shared values. */
  public <T> List<T> sharedOf(List<T> inputs) {
    return inputs.subList(carried + stacked, inputs.size());
  }

  public List<Value> bodyCarried() {
    return carriedOf(bodyArguments());
  }

  public List<Value> bodySlices() {
    return stackedOf(bodyArguments());
  }

  public List<Value> bodyShared() {
    return sharedOf(bodyArguments());
  }

  /** The body's inputs but the index: one for each input of the Repeat. */
  private List<Value> bodyArguments() {
    return body.inputs().subList(1, body.inputs().size());
  }

  public List<Value> bodyNextCarried() {
    return body.outputs().subList(0, carried);
  }

  public List<Value> bodyStackedOutputs() {
    return body.outputs().subList(carried, body.outputs().size());
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, body.inputs().size() - 1);
    for (int i = 0; i < inputs.size(); i++) {
      boolean sliced = i >= carried && i < carried + stacked;
      TensorType given = sliced ? sliceType(inputs.get(i), count) : inputs.get(i);
      Value expected = bodyArguments().get(i);
      ShapeException.check(given.equals(expected.type()), "Repeat: input %d (%s) must be %s per iteration, got %s", i,
          expected.name(), expected.type(), given);
    }
    List<TensorType> outputs = new ArrayList<>();
    for (int i = 0; i < carried; i++) {
      Value next = body.outputs().get(i);
      ShapeException.check(next.type().equals(inputs.get(i)), "Repeat: carried value %d is %s but the body returns %s",
          i, inputs.get(i), next.type());
      outputs.add(inputs.get(i));
    }
    for (Value value : bodyStackedOutputs()) {
      outputs.add(value.type().withShape(value.type().shape().stacked(count)));
    }
    return outputs;
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input < carried && input == output;
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    Cost total = new Cost(0, 0);
    for (Node node : body.nodes()) {
      total = total.plus(node.op().cost(node.inputTypes(), node.outputTypes()));
    }
    return total.times(count);
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "Repeat[count=%d, carried=%d, stacked=%d, reverse=%s, save=%s]", count, carried,
        stacked, reverse, save);
  }
}
