/** Llama 3 as programs: where its weights lie in a session, the graph of its layers, and how a checkpoint gets there. */
@NullMarked
package dev.jqlora.llama.model;

import org.jspecify.annotations.NullMarked;
