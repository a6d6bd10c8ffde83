/** The trainer: programs of a step, the optimizer's states, the loop. */
@NullMarked
package dev.jqlora.training.train;

import org.jspecify.annotations.NullMarked;
