/** Text to token ids and back. */
@NullMarked
package dev.jqlora.llama.tokenizer;

import org.jspecify.annotations.NullMarked;
