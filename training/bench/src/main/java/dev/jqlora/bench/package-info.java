/** How fast the CPU backend is: a set of measurements against the machine's roofs and against a peer. */
@NullMarked
package dev.jqlora.bench;

import org.jspecify.annotations.NullMarked;
