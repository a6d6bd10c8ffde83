/** Damaged and hostile model files of every kind, and the one-line errors that they must end in. */
@NullMarked
package dev.jqlora.llama.damage;

import org.jspecify.annotations.NullMarked;
