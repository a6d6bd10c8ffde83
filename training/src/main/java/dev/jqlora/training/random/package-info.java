/** Random numbers that other libraries would draw from the same seed. */
@NullMarked
package dev.jqlora.training.random;

import org.jspecify.annotations.NullMarked;
