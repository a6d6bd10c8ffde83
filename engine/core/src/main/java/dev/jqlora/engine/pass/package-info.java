/** Functions from a graph to a graph. */
@NullMarked
package dev.jqlora.engine.pass;

import org.jspecify.annotations.NullMarked;
