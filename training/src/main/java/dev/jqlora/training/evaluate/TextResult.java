package dev.jqlora.training.evaluate;

import dev.jqlora.llama.score.Perplexity;
import java.nio.file.Path;

/**
 * How well a variant predicts the held-out text.
 *
 * @param perplexity over all documents, weighted by token
 * @param file a line per document
 */
public record TextResult(Perplexity perplexity, Path file) {}
