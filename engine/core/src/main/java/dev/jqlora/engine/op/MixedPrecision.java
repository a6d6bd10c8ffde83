package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;

/**
 * An op whose activations may be stored in BF16, while it is computed in F32: mixed precision (Micikevicius et al. 2017,
 * arXiv 1710.03740). What it means then is {@link #betweenCasts}: the op in F32 on those values, its results rounded to
 * nearest even. Weights, sums and gradients of parameters stay as they are.
 */
public interface MixedPrecision extends Op {
  /** This op with all its outputs in F32. */
  default Op inFloat32() {
    return this;
  }

  /** Whether an input is an activation, rather than a weight that may stand in BF16 in any case. */
  default boolean isActivation(int input) {
    return true;
  }

  /** Whether an activation is stored in BF16. */
  default boolean storesBf16(List<TensorType> inputs) {
    for (int i = 0; i < inputs.size(); i++) {
      if (inputs.get(i).dtype() == DType.BF16 && isActivation(i)) {
        return true;
      }
    }
    return infer(inputs).stream().anyMatch(output -> output.dtype() == DType.BF16);
  }

  /** Whether an op stores an activation in BF16. */
  static boolean storesBf16(Op op, List<TensorType> inputs) {
    return op instanceof MixedPrecision mixed && mixed.storesBf16(inputs);
  }

  /** Appends the op in F32 between casts. */
  default List<Value> betweenCasts(GraphBuilder builder, List<Value> inputs) {
    List<TensorType> types = infer(Node.types(inputs));
    List<Value> arguments = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      arguments.add(isActivation(i) && inputs.get(i).type().dtype() == DType.BF16
          ? cast(builder, inputs.get(i), DType.F32)
          : inputs.get(i));
    }
    List<Value> outputs = new ArrayList<>();
    List<Value> results = builder.applyAll(inFloat32(), arguments);
    for (int i = 0; i < results.size(); i++) {
      outputs.add(cast(builder, results.get(i), types.get(i).dtype()));
    }
    return outputs;
  }

  /** A value in an element type, which may be its own. */
  static Value cast(GraphBuilder builder, Value value, DType dtype) {
    return value.type().dtype() == dtype ? value : builder.apply(new Cast(dtype), value);
  }

  /** Requires rows of activations: F32 or BF16, rank 2. */
  static void checkRows(String op, String argument, TensorType type) {
    ShapeException.matrix(op, argument, type, DType.F32, DType.BF16);
  }

  /** Requires activations: F32 or BF16. */
  static void checkStored(String op, String argument, TensorType type) {
    ShapeException.dtype(op, argument, type, DType.F32, DType.BF16);
  }

  /** Requires two activations to be stored alike. */
  static void checkAlike(String op, String argument, TensorType type, String other, TensorType otherType) {
    ShapeException.check(type.dtype() == otherType.dtype(), "%s: %s is %s but %s is %s", op, argument, type, other,
        otherType);
  }
}
