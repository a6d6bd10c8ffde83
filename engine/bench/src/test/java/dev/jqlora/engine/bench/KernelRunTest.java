package dev.jqlora.engine.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class KernelRunTest {
  @Test
  void everyModelShapeHasAKernelAndACost() {
    try (CpuBackend backend = new CpuBackend(1)) {
      assertTrue(KernelRun.shapes().size() >= 30, () -> "only " + KernelRun.shapes().keySet());
      KernelRun.shapes().forEach((name, shape) -> {
        assertTrue(backend.supports(shape.op(), shape.types(),
            shape.op().infer(shape.types())) instanceof Support.Native, name);
        assertTrue(shape.op().cost(shape.types(), shape.op().infer(shape.types())).bytes() > 0, name);
      });
    }
  }

  @Test
  void everyKernelHasAModelShape() {
    try (CpuBackend backend = new CpuBackend(1)) {
      CaseCatalogue.all().forEach((op, list) -> {
        boolean kernel = list.cases().stream()
            .anyMatch(sample -> backend.supports(sample.op(), sample.types(),
                sample.op().infer(sample.types())) instanceof Support.Native);
        assertEquals(kernel, !list.modelShapes().isEmpty(), op);
      });
    }
  }

  @Test
  void aShapeRuns() {
    CaseList.Case small = Objects.requireNonNull(KernelRun.shapes().get("RmsNorm: Llama-3.2-1B input_layernorm"));
    try (KernelRun run = new KernelRun(new CpuBackend(1), small)) {
      run.run();
      assertTrue(run.cost().flops() > 0);
      assertEquals(0, run.compileSeconds(), "the CPU's kernels are there compiled");
    }
  }
}
