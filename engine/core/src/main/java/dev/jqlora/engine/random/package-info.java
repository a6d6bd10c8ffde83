/** Random numbers that other libraries would draw from the same seed. */
@NullMarked
package dev.jqlora.engine.random;

import org.jspecify.annotations.NullMarked;
