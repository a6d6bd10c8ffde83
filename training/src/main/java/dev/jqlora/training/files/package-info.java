/** Reading text and JSON strictly. */
@NullMarked
package dev.jqlora.training.files;

import org.jspecify.annotations.NullMarked;
