/** The contract between the engine and what executes its plans. */
@NullMarked
package dev.jqlora.engine.backend;

import org.jspecify.annotations.NullMarked;
