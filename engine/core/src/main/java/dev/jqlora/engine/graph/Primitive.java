package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** An op that the reference interpreter evaluates directly, in float64. */
public interface Primitive extends Op {
  /** Output arrays of the given types, filled from the inputs. */
  List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs);
}
