/** Programs as data: immutable values and nodes, the builder that infers shapes, the structured node Repeat, and passes. */
@NullMarked
package dev.jqlora.engine.graph;

import org.jspecify.annotations.NullMarked;
