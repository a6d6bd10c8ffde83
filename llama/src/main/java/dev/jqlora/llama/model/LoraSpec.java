package dev.jqlora.llama.model;

import java.util.Map;
import java.util.SequencedMap;

/**
 * Which projections have an adapter, and of what rank and scale.
 *
 * @param ranks the adapted projections and their ranks
 * @param scales what each adapter's product is multiplied by: alpha / rank, or alpha / √rank with rsLoRA
 * @param dropout probability that an element of an adapter's input is dropped in training
 */
public record LoraSpec(SequencedMap<Projection, Integer> ranks, Map<Projection, Float> scales, float dropout) {
  public boolean covers(Projection projection) {
    return ranks.containsKey(projection);
  }

  public int rank(Projection projection) {
    Integer rank = ranks.get(projection);
    if (rank == null) {
      throw new IllegalArgumentException(projection.title() + " has no adapter");
    }
    return rank;
  }

  public float scale(Projection projection) {
    Float scale = scales.get(projection);
    if (scale == null) {
      throw new IllegalArgumentException(projection.title() + " has no adapter");
    }
    return scale;
  }

  /** State of an adapter's first matrix, F32 {@code [layers, rank, in]}. */
  public static String stateA(Projection projection) {
    return "lora." + projection.title() + ".A";
  }

  /** State of an adapter's second matrix, F32 {@code [layers, out, rank]}. */
  public static String stateB(Projection projection) {
    return "lora." + projection.title() + ".B";
  }
}
