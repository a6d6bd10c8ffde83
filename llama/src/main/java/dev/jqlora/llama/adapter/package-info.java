/** LoRA adapters in PEFT's files: their description, their tensors, and how a fresh one begins. */
@NullMarked
package dev.jqlora.llama.adapter;

import org.jspecify.annotations.NullMarked;
