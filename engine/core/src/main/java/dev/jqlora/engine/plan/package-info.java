/** From a program to what a backend runs: kernel choice, liveness, placement, the report of bytes. */
@NullMarked
package dev.jqlora.engine.plan;

import org.jspecify.annotations.NullMarked;
