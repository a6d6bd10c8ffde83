/** Element types, shapes, views of memory, and the block formats (NF4, 8-bit dynamic) with their codecs. */
@NullMarked
package dev.jqlora.engine.tensor;

import org.jspecify.annotations.NullMarked;
