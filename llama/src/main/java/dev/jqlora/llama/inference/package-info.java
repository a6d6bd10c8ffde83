/** A model with its adapter in a session, ready to be read. */
@NullMarked
package dev.jqlora.llama.inference;

import org.jspecify.annotations.NullMarked;
