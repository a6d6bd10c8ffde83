/** Fetching models from the Hugging Face hub into the cache that its other clients use too. */
@NullMarked
package dev.jqlora.llama.hub;

import org.jspecify.annotations.NullMarked;
