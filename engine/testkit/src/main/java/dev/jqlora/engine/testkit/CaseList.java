package dev.jqlora.engine.testkit;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What is known of one op beside its meaning: filled by an {@link OpCases}, read by every kind of test. */
public final class CaseList {
  private final List<Case> cases = new ArrayList<>();
  private final List<Case> modelShapes = new ArrayList<>();
  private final List<Misfit> misfits = new ArrayList<>();
  private final Map<DType, Tolerance> tolerances = new EnumMap<>(DType.class);
  private @Nullable Tolerance bf16Products;
  private List<Integer> differentiable = List.of();
  private List<Integer> lossOutputs = List.of(0);

  /**
   * An op and inputs that fit it.
   *
   * @param differentiable the inputs by which the op has a gradient that differences can check
   */
  public record Case(String name, Op op, List<Input> inputs, List<Integer> differentiable) {
    public List<TensorType> types() {
      return inputs.stream().map(Input::type).toList();
    }

    /** The same tensors at each call. */
    public List<Tensor> make() {
      return make(0);
    }

    /** The same tensors at each call with the same variant; what is random in them differs between variants. */
    public List<Tensor> make(int variant) {
      Samples samples = new Samples(name.hashCode(), variant);
      return inputs.stream().map(input -> input.make(samples)).toList();
    }
  }

  /** Inputs that do not fit an op, or attributes that it refuses, and the message that says so. */
  public record Misfit(String message, Supplier<Op> op, List<TensorType> inputs) {}

  /**
   * How far results of an element type may be off. Whole numbers are always exact; BF16 of which nothing is said is F32 that
   * was rounded to be stored.
   */
  public CaseList tolerance(DType dtype, Tolerance tolerance) {
    tolerances.put(dtype, tolerance);
    return this;
  }

  /**
   * What of the op is computed on tensor cores, from which {@link Bf16Products} has how far F32 results may then be off. Ops
   * that say nothing have no products.
   *
   * @param products one after the other
   * @param depth terms of the longest sum
   */
  public CaseList bf16Products(int products, int depth) {
    bf16Products = Bf16Products.tolerance(products, depth);
    return this;
  }

  /** The inputs by which the op has a gradient that differences can check, in the cases added from now on. */
  public CaseList differentiable(int... inputs) {
    differentiable = Arrays.stream(inputs).boxed().toList();
    return this;
  }

  /** The outputs that a loss may depend on, where that is not the first alone. */
  public CaseList lossOutputs(int... outputs) {
    lossOutputs = Arrays.stream(outputs).boxed().toList();
    return this;
  }

  public CaseList add(String name, Op op, Input... inputs) {
    return add(name, op, List.of(inputs));
  }

  public CaseList add(String name, Op op, List<Input> inputs) {
    cases.add(new Case(name, op, inputs, differentiable));
    return this;
  }

  /** The op as a real model uses it, for benchmarks; far too large for the interpreter. */
  public CaseList modelShape(String name, Op op, Input... inputs) {
    return modelShape(name, op, List.of(inputs));
  }

  public CaseList modelShape(String name, Op op, List<Input> inputs) {
    modelShapes.add(new Case(name, op, inputs, List.of()));
    return this;
  }

  public CaseList fails(String message, Op op, Input... inputs) {
    return fails(message, () -> op, List.of(inputs));
  }

  public CaseList fails(String message, Supplier<Op> op, List<Input> inputs) {
    misfits.add(new Misfit(message, op, inputs.stream().map(Input::type).toList()));
    return this;
  }

  public List<Case> cases() {
    return List.copyOf(cases);
  }

  public List<Case> modelShapes() {
    return List.copyOf(modelShapes);
  }

  public List<Misfit> misfits() {
    return List.copyOf(misfits);
  }

  /** The outputs that a loss may depend on. */
  public List<Integer> lossOutputs() {
    return lossOutputs;
  }

  /** The same cases, with the tolerance of products whose factors are rounded to BF16. */
  public CaseList ofBf16Products() {
    CaseList list = new CaseList();
    list.cases.addAll(cases);
    list.tolerances.putAll(tolerances);
    if (bf16Products != null) {
      list.tolerances.put(DType.F32, bf16Products);
    }
    return list;
  }

  public Tolerance tolerance(DType dtype) {
    Tolerance tolerance = dtype.isFloat() ? tolerances.get(dtype) : Tolerance.exact("whole numbers");
    if (tolerance == null && dtype == DType.BF16) {
      return tolerance(DType.F32).storedInBf16();
    }
    if (tolerance == null) {
      throw new IllegalStateException("no tolerance for " + dtype);
    }
    return tolerance;
  }
}
