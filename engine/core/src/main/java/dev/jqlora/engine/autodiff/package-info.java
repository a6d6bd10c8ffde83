/** Reverse-mode differentiation: from a graph to the graph of its gradients. */
@NullMarked
package dev.jqlora.engine.autodiff;

import org.jspecify.annotations.NullMarked;
