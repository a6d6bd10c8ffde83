package dev.jqlora.llama.adapter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.random.MersenneTwister;
import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;

class LoraInitTest {
  private static final int RANK = 3;
  private static final AdapterConfig CONFIG = new AdapterConfig("tiny", RANK, 4, 0, false, EnumSet.of(Projection.K_PROJ,
      Projection.DOWN_PROJ));
  private static final ModelLayout LAYOUT = TinyModel.layout(CONFIG.spec());

  private static Session fresh(long seed, DType base) {
    Session session = TinyModel.session(LAYOUT);
    float[] b = new float[(int) session.type(LoraSpec.stateB(Projection.K_PROJ)).elements()];
    b[0] = 1;
    TinyModel.write(session, LoraSpec.stateB(Projection.K_PROJ), b);
    LoraInit.fill(LAYOUT, session, seed, base);
    return session;
  }

  /** Layer 0 k_proj (in 8, out 4), layer 0 down_proj (in 12, out 8), layer 1 likewise; the first draws are discarded. */
  @Test
  void takesTheDrawsOfPeft() {
    MersenneTwister random = new MersenneTwister(42);
    try (Session session = fresh(42, DType.F32)) {
      for (int layer = 0; layer < 2; layer++) {
        for (Projection projection : CONFIG.targets()) {
          int in = projection.in(LAYOUT.config());
          for (int i = 0; i < RANK * in + RANK * projection.out(LAYOUT.config()); i++) {
            random.nextBits();
          }
          float[] a = TinyModel.read(session, LoraSpec.stateA(projection));
          for (int i = 0; i < RANK * in; i++) {
            double expected = (2 * (random.nextBits() & 0xffffff) * 0x1p-24 - 1) / Math.sqrt(in);
            assertEquals(expected, a[layer * RANK * in + i], 1e-7);
            assertTrue(Math.abs(a[layer * RANK * in + i]) <= 1 / Math.sqrt(in));
          }
        }
      }
    }
  }

  @Test
  void startsWithBOfZeros() {
    try (Session session = fresh(1, DType.F32)) {
      for (Projection projection : CONFIG.targets()) {
        float[] b = TinyModel.read(session, LoraSpec.stateB(projection));
        assertArrayEquals(new float[b.length], b);
      }
    }
  }

  @Test
  void roundsToTheBaseModelsType() {
    try (Session exact = fresh(7, DType.F32); Session rounded = fresh(7, DType.BF16)) {
      float[] expected = TinyModel.read(exact, LoraSpec.stateA(Projection.K_PROJ));
      for (int i = 0; i < expected.length; i++) {
        expected[i] = BFloat16.toFloat(BFloat16.fromFloat(expected[i]));
      }
      assertArrayEquals(expected, TinyModel.read(rounded, LoraSpec.stateA(Projection.K_PROJ)));
    }
  }
}
