/** What a run leaves in its folder: checkpoints to go on from, state, logs, results, plots and a model card. */
@NullMarked
package dev.jqlora.training.run;

import org.jspecify.annotations.NullMarked;
