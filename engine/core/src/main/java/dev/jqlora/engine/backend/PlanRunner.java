package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Step;
import java.util.Arrays;
import java.util.List;

/** Goes through the steps of a plan in their order, loops round and round; what a step does is the backend's. */
public abstract class PlanRunner {
  private static final int[] OUTSIDE = {};

  /** Runs a kernel; {@code indices} are those of the enclosing loops, outermost first. */
  protected abstract void launch(Step.Launch launch, int[] indices);

  protected abstract void copy(Operand from, Operand to, int[] indices);

  /** Writes the number of the iteration, which is also the last of the indices, for kernels to read. */
  protected abstract void setIndex(Operand operand, int[] indices);

  public final void run(List<Step> steps) {
    run(steps, OUTSIDE);
  }

  private void run(List<Step> steps, int[] indices) {
    for (Step step : steps) {
      switch (step) {
        case Step.Launch launch -> launch(launch, indices);
        case Step.Copy(Operand from, Operand to) -> copy(from, to, indices);
        case Step.Loop loop -> loop(loop, indices);
      }
    }
  }

  private void loop(Step.Loop loop, int[] outer) {
    int[] indices = Arrays.copyOf(outer, outer.length + 1);
    for (int i = 0; i < loop.count(); i++) {
      indices[outer.length] = loop.reverse() ? loop.count() - 1 - i : i;
      setIndex(loop.index(), indices);
      run(loop.body(), indices);
    }
  }
}
