package dev.jqlora.engine.testkit;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * An input of a case: its type, and how to make it when it is wanted.
 *
 * @param content from a source of random numbers to a tensor of the type
 */
public record Input(TensorType type, Function<Samples, Tensor> content) {
  public Tensor make(Samples samples) {
    Tensor tensor = content.apply(samples);
    if (!tensor.type().equals(type)) {
      throw new IllegalStateException("made " + tensor.type() + " for " + type);
    }
    return tensor;
  }

  /** F32 from -1 to 1. */
  public static Input f32(int... dims) {
    return between(-1, 1, dims);
  }

  /** F32 from one number to another. */
  public static Input between(double from, double to, int... dims) {
    TensorType type = TensorType.f32(dims);
    return new Input(type, samples -> samples.uniform(type, from, to));
  }

  public static Input bf16(int... dims) {
    return real(DType.BF16, dims);
  }

  public static Input f16(int... dims) {
    return real(DType.F16, dims);
  }

  /** The same numbers, rounded to BF16. */
  public Input inBf16() {
    TensorType stored = new TensorType(DType.BF16, type.shape());
    return new Input(stored, samples -> {
      Tensor rounded = Tensor.allocate(Arena.ofAuto(), stored);
      Array64.of(content.apply(samples)).copyTo(rounded);
      return rounded;
    });
  }

  /** The same numbers, but for one. */
  public Input with(int index, double value) {
    return new Input(type, samples -> {
      Tensor changed = content.apply(samples).copy();
      changed.set(index, value);
      return changed;
    });
  }

  /** F32, whole numbers from one to another: their sums and products are exact, in any order and of any factors. */
  public static Input whole(int from, int to, int... dims) {
    TensorType type = TensorType.f32(dims);
    return new Input(type, samples -> {
      Tensor numbers = samples.indices(type, to - from + 1);
      for (long i = 0; i < type.elements(); i++) {
        numbers.set(i, numbers.get(i) + from);
      }
      return numbers;
    });
  }

  private static Input real(DType dtype, int... dims) {
    TensorType type = new TensorType(dtype, Shape.of(dims));
    return new Input(type, samples -> samples.uniform(type));
  }

  /** Given F32 numbers. */
  public static Input floats(float... values) {
    return new Input(TensorType.f32(values.length), _ -> Tensor.of(TensorType.f32(values.length), values));
  }

  /** An F32 scalar. */
  public static Input scalar(float value) {
    return new Input(TensorType.f32(), _ -> Tensor.scalar(value));
  }

  /** An I32 scalar. */
  public static Input scalar(int value) {
    return new Input(TensorType.i32(), _ -> Tensor.scalar(value));
  }

  /** An I32 scalar, another one of these in each variant of a case. */
  public static Input oneOf(int... values) {
    return new Input(TensorType.i32(), samples -> Tensor.scalar(values[samples.variant() % values.length]));
  }

  /** Given I32 numbers. */
  public static Input ints(int... values) {
    return new Input(TensorType.i32(values.length), _ -> Tensor.of(TensorType.i32(values.length), values));
  }

  /** I32, at least 0 and below a bound: ids of rows of a table. */
  public static Input ids(int bound, int... dims) {
    TensorType type = TensorType.i32(dims);
    return new Input(type, samples -> samples.indices(type, bound));
  }

  /** U8, any code. */
  public static Input codes(int... dims) {
    TensorType type = TensorType.u8(dims);
    return new Input(type, samples -> samples.indices(type, 256));
  }

  /** I32 {@code [n]}: labels of a vocabulary, each third one ignored. */
  public static Input labels(int vocab, int n) {
    TensorType type = TensorType.i32(n);
    return new Input(type, samples -> {
      Tensor labels = samples.indices(type, vocab);
      for (int i = 1; i < n; i += 3) {
        labels.set(i, -100);
      }
      return labels;
    });
  }

  /** I32: for each token of sequences that stand one behind another, where its sequence starts. */
  public static Input starts(int... lengths) {
    return perToken(lengths, (start, _) -> start);
  }

  /** I32: for each token of such sequences, its position in its sequence. */
  public static Input positions(int... lengths) {
    return perToken(lengths, (_, position) -> position);
  }

  private interface OfToken {
    int number(int start, int position);
  }

  private static Input perToken(int[] lengths, OfToken of) {
    List<Integer> numbers = new ArrayList<>();
    for (int length : lengths) {
      int start = numbers.size();
      for (int i = 0; i < length; i++) {
        numbers.add(of.number(start, i));
      }
    }
    return ints(numbers.stream().mapToInt(Integer::intValue).toArray());
  }

  /** The tensors of an NF4 weight: a random matrix quantized by the codec, when the first of them is wanted. */
  public static List<Input> nf4(Nf4Weight weight) {
    Map<Integer, List<Tensor>> quantized = new HashMap<>();
    List<Input> inputs = new ArrayList<>();
    for (int i = 0; i < weight.types().size(); i++) {
      int index = i;
      inputs.add(new Input(weight.types().get(i),
          samples -> quantized.computeIfAbsent(samples.variant(), variant -> quantize(weight, variant)).get(index)));
    }
    return inputs;
  }

  private static List<Tensor> quantize(Nf4Weight weight, int variant) {
    Tensor matrix = new Samples(weight.hashCode(), variant).uniform(TensorType.f32(weight.out(), weight.in()), -0.1,
        0.1);
    Nf4Tensor plain = Nf4.quantize(matrix, weight.blockSize(), Arena.ofAuto()).weight();
    List<TensorType> types = weight.types();
    Tensor codes = new Tensor(types.getFirst(), plain.codes());
    if (!weight.nested()) {
      return List.of(codes, new Tensor(types.get(1), ((Absmax.Plain) plain.absmax()).values()));
    }
    Absmax.Nested nested = DoubleQuantization.quantize(plain.absmax(), Arena.ofAuto());
    return List.of(codes, new Tensor(types.get(1), nested.codes()), Tensor.of(types.get(2), nested.map().values()),
        new Tensor(types.get(3), nested.nestedAbsmax()), Tensor.scalar(nested.offset()));
  }
}
