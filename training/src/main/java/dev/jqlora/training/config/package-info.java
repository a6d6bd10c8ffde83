/** The YAML configuration in LLaMA-Factory's terms: the table of keys, their reading and checking, and typed records. */
@NullMarked
package dev.jqlora.training.config;

import org.jspecify.annotations.NullMarked;
