package dev.jqlora.engine.cpu;

import dev.jqlora.engine.graph.Node;

/** Is told of each kernel that a {@link CpuBackend} has run, in order: what a profile of a program is made of. */
@FunctionalInterface
public interface KernelListener {
  void ran(Node node, long nanoseconds);
}
