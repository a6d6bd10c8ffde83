package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** What kernels there are. Asked while planning, never by catching a failure. */
@FunctionalInterface
public interface Capabilities {
  Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs);

  default Support supports(Node node) {
    return supports(node.op(), node.inputTypes(), node.outputTypes());
  }
}
