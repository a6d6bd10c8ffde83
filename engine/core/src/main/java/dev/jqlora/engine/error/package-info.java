/** The one exception type that reaches a user, and its kinds (each an exit code). */
@NullMarked
package dev.jqlora.engine.error;

import org.jspecify.annotations.NullMarked;
