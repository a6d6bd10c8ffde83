/** The oracle: a slow interpreter of graphs in float64. */
@NullMarked
package dev.jqlora.engine.reference;

import org.jspecify.annotations.NullMarked;
