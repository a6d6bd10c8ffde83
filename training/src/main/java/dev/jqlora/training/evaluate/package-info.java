/** Comparing a base model and its adapters: accuracy on multiple-choice questions and perplexity on held-out text. */
@NullMarked
package dev.jqlora.training.evaluate;

import org.jspecify.annotations.NullMarked;
