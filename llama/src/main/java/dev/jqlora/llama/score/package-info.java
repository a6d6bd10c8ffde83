/** How likely a model finds given texts. */
@NullMarked
package dev.jqlora.llama.score;

import org.jspecify.annotations.NullMarked;
