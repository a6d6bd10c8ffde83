/** From dataset files to token sequences, their order and their batches, as LLaMA-Factory makes them. */
@NullMarked
package dev.jqlora.training.data;

import org.jspecify.annotations.NullMarked;
