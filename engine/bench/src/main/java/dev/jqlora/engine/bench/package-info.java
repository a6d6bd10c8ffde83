/** How fast the kernels are, measured on the cases' shapes of real models. */
@NullMarked
package dev.jqlora.engine.bench;

import org.jspecify.annotations.NullMarked;
