package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.testkit.ConformanceSuite;
import java.util.Set;

class CpuConformanceTest extends ConformanceSuite {
  @Override
  protected Backend backend() {
    return new CpuBackend(2);
  }

  /** Small ops that no program of a model uses in this form: its composite ops all have kernels. */
  @Override
  protected Set<String> knownUnsupported() {
    return Set.of("Add", "AtMost", "BroadcastTo", "Concat", "DoubleQuantize", "Exp", "Iota", "Log", "MaxLast",
        "Multiply", "Nf4Absmax", "Nf4Dequantize", "Nf4Quantize", "Reciprocal", "Slice", "Sqrt", "SumTo", "Transpose");
  }
}
