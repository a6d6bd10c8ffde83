/** Tensors in files: the safetensors format, read by mapping and written in a stream, alone or in shards. */
@NullMarked
package dev.jqlora.llama.safetensors;

import org.jspecify.annotations.NullMarked;
