/** The CPU backend: kernels on the Vector API, shared out to a fixed number of threads. */
@NullMarked
package dev.jqlora.engine.cpu;

import org.jspecify.annotations.NullMarked;
