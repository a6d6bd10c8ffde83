/** The learning rate over the steps of a run. */
@NullMarked
package dev.jqlora.training.schedule;

import org.jspecify.annotations.NullMarked;
