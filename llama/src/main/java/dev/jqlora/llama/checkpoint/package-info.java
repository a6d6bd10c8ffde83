/** What weights mean beyond their bytes: matrices that bitsandbytes quantized beforehand. */
@NullMarked
package dev.jqlora.llama.checkpoint;

import org.jspecify.annotations.NullMarked;
