/** One file an op: attributes, shape rule, gradient, decomposition or float64 meaning, cost, formula. */
@NullMarked
package dev.jqlora.engine.op;

import org.jspecify.annotations.NullMarked;
