package dev.jqlora.training.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.MemoryRules;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.training.config.OptimizerArguments;
import dev.jqlora.training.config.OptimizerType;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How an optimizer step is planned. */
class OptimizerProgramTest {
  private static final int LAYERS = 3;
  private static final List<Trainable> TRAINABLES = List.of(
      new Trainable("head", TensorType.f32(1000, 8), 1, Trainable.Group.DECAY),
      new Trainable("q", TensorType.f32(LAYERS, 64, 100), LAYERS, Trainable.Group.DECAY),
      new Trainable("norm", TensorType.f32(LAYERS, 64), LAYERS, Trainable.Group.NO_DECAY));

  private static Plan plan() {
    Program program = OptimizerProgram.of(TRAINABLES,
        new OptimizerArguments(OptimizerType.PAGED_ADAMW_8BIT, 1e-3, 0, 0.9, 0.999, 1e-8, 1));
    return Planner.plan(program, (_, _, _) -> Support.NATIVE);
  }

  /** transformers registers 32 bits for embedding tables. */
  @Test
  void embeddingTablesKeepMomentsOf32Bits() {
    Trainable table = new Trainable(ModelLayout.EMBED_TOKENS, TensorType.f32(1000, 8), 1, Trainable.Group.DECAY);
    assertFalse(table.is8bit(OptimizerType.ADAMW_8BIT));
    assertTrue(TRAINABLES.getFirst().is8bit(OptimizerType.ADAMW_8BIT));
  }

  @Test
  void everythingIsUpdatedWhereItLies() {
    Plan plan = plan();
    assertTrue(plan.arenaBytes() <= 4 * 64, "two groups' rates, the clip factor and the loop's index: " + plan.peak());
    assertEquals(3, plan.steps().size());
    Step.Loop loop = assertInstanceOf(Step.Loop.class, plan.steps().getLast());
    assertEquals(LAYERS, loop.count());
    assertEquals(4, loop.body().size());
    for (Step step : loop.body()) {
      Step.Launch launch = assertInstanceOf(Step.Launch.class, step);
      for (Operand output : launch.outputs()) {
        assertFalse(output.slot().state() == null, launch.toString());
        assertEquals(List.of(output.type().bytes()), output.slot().strides());
      }
    }
    Step.Launch q = assertInstanceOf(Step.Launch.class, loop.body().getFirst());
    assertInstanceOf(AdamW8bit.class, q.node().op());
    assertEquals(q.inputs().get(2), q.outputs().get(1));
  }

  @Test
  void theFewestPagesAreThoseOfTheLargestTensor() {
    int headBlocks = 32; // of 256, in 8,000 elements
    long head = 2 * 8000 + 2 * 4 * headBlocks;
    assertEquals(head,
        Trainable.pages(TRAINABLES, OptimizerType.PAGED_ADAMW_8BIT, MemoryRules.PLAIN).workingSetBytes(plan()));
    assertEquals(0, Trainable.pages(TRAINABLES, OptimizerType.ADAMW_8BIT, MemoryRules.PLAIN).totalBytes());
  }
}
