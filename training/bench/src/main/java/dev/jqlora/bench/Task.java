package dev.jqlora.bench;

/**
 * A computation that a peer can do as well, all in float32 but for the factors of products; the names of its inputs and results
 * stand with each.
 */
public sealed interface Task {
  /** {@code c = a · b}, or {@code a · bᵀ}. Inputs a {@code [m, k]} and b {@code [k, n]} or {@code [n, k]}; result c. */
  record Product(int m, int k, int n, boolean transposed) implements Task {}

  /**
   * Causal attention of one sequence with grouped-query heads. Inputs q {@code [tokens, heads · headDim]}, k and v
   * {@code [tokens, kvHeads · headDim]}; result out like q. With the gradient also the input dout like q, and the results
   * dq, dk and dv.
   */
  record Attention(int tokens, int heads, int kvHeads, int headDim, boolean gradient) implements Task {}

  /**
   * An output head with its cross-entropy loss, summed over the rows. Inputs x {@code [tokens, width]}, w
   * {@code [vocab, width]}, labels I32 {@code [tokens]}; results loss and dx.
   */
  record Head(int tokens, int width, int vocab) implements Task {}

  /**
   * A decoder layer of a Llama with adapters on its seven projections, then RMSNorm. Inputs: x {@code [tokens, hidden]};
   * input_layernorm, post_attention_layernorm and norm {@code [hidden]}; cos and sin {@code [tokens, headDim / 2]}; for each
   * projection its weight under its name {@code [out, in]}, {@code NAME.A} {@code [rank, in]} and {@code NAME.B}
   * {@code [out, rank]}. Result hidden like x. With the gradient also the input dhidden, and the results {@code NAME.A} and
   * {@code NAME.B}, the gradients of the adapters; the gradient by x is computed too.
   *
   * @param scale what each adapter's product is multiplied by
   */
  record Layer(int tokens, int hidden, int heads, int kvHeads, int headDim, float scale, float epsilon,
      boolean gradient) implements Task {}
}
