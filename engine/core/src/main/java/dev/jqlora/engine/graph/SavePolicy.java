package dev.jqlora.engine.graph;

import java.util.Locale;
import java.util.function.Predicate;

/**
 * Which values of a body its gradient finds saved; the rest is computed again from the carried values (gradient
 * checkpointing, Chen et al. 2016, arXiv 1604.06174).
 */
public enum SavePolicy {
  /** Only the carried values: the least memory. */
  NOTHING(_ -> false),
  /**
   * Only the carried values, those in F32 rounded to BF16: half the memory. What is computed again starts from the rounded
   * value, so gradients are those of a slightly other place; the forward pass is untouched. Other policies round nothing,
   * since what they save must fit what is computed again beside it.
   */
  ROUNDED(_ -> false),
  /** Besides, what is small and dear to compute again: the outputs of attention, whose work grows with the length squared. */
  ATTENTION(node -> node.op().worthSaving()),
  /** All that the gradient reads is saved, but for what Repeats within the body save for their own gradients. */
  EVERYTHING(_ -> true);

  private final Predicate<Node> saves;

  SavePolicy(Predicate<Node> saves) {
    this.saves = saves;
  }

  public boolean saves(Node node) {
    return saves.test(node);
  }

  /** Whether carried values are saved as BF16. */
  public boolean roundsCarried() {
    return this == ROUNDED;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
