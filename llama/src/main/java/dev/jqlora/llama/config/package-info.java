/** A model's {@code config.json} and {@code generation_config.json}, and what follows from them. */
@NullMarked
package dev.jqlora.llama.config;

import org.jspecify.annotations.NullMarked;
