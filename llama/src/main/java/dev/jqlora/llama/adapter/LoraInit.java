package dev.jqlora.llama.adapter;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.random.MersenneTwister;
import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import java.lang.foreign.MemorySegment;

/**
 * The values of a fresh adapter: A uniform in ±1/√in, B zero, so that at first it changes nothing. Draws are those of
 * PEFT on torch's CPU generator: for each module, layer by layer, r·in and out·r draws that are thrown away, then the
 * r·in draws of A.
 *
 * @see <a href="https://github.com/huggingface/peft/blob/v0.18.1/src/peft/tuners/lora/layer.py">reset_lora_parameters
 *   and update_layer of PEFT 0.18.1</a>
 */
public final class LoraInit {
  private LoraInit() {}

  /**
   * Overwrites the adapter's states, which must be allocated.
   *
   * @param seed the run's seed
   * @param base element type of the base model's weights; A is rounded to it, as PEFT does by moving it there and back
   */
  public static void fill(ModelLayout layout, Session session, long seed, DType base) {
    LoraSpec spec = layout.lora().orElseThrow(() -> new IllegalArgumentException("the layout has no adapter"));
    MersenneTwister random = new MersenneTwister(seed);
    for (int layer = 0; layer < layout.config().layers(); layer++) {
      for (Projection projection : spec.ranks().keySet()) {
        int in = projection.in(layout.config());
        float[] a = new float[Math.multiplyExact(spec.rank(projection), in)];
        float[] b = new float[Math.multiplyExact(spec.rank(projection), projection.out(layout.config()))];
        for (int discarded = 0; discarded < a.length + b.length; discarded++) {
          random.nextBits();
        }
        uniform(a, (float) (1 / Math.sqrt(in)), random, base);
        write(session, LoraSpec.stateA(projection), layer, a);
        write(session, LoraSpec.stateB(projection), layer, b);
      }
    }
  }

  private static void uniform(float[] values, float bound, MersenneTwister random, DType base) {
    for (int i = 0; i < values.length; i++) {
      values[i] = rounded(random.nextFloat() * (2 * bound) - bound, base);
    }
  }

  private static float rounded(float value, DType base) {
    return switch (base) {
      case BF16 -> BFloat16.toFloat(BFloat16.fromFloat(value));
      case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
      case F32, I32, U8 -> value;
    };
  }

  private static void write(Session session, String state, int layer, float[] values) {
    session.write(state, (long) layer * values.length * Float.BYTES, MemorySegment.ofArray(values));
  }
}
