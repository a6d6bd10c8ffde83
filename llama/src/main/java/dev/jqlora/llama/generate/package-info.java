/** Continues token sequences with a key-value cache, and chooses tokens from logits. */
@NullMarked
package dev.jqlora.llama.generate;

import org.jspecify.annotations.NullMarked;
