/** Reading and writing of the small files around a model: strict JSON, atomic replacement, one-line errors. */
@NullMarked
package dev.jqlora.llama.files;

import org.jspecify.annotations.NullMarked;
