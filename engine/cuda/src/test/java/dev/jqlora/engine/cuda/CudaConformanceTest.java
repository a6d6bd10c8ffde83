package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.testkit.ConformanceSuite;
import java.util.Set;

/** Every case of every op through the kernels as compiled for the processor, each access to memory checked. */
class CudaConformanceTest extends ConformanceSuite {
  @Override
  protected Backend backend() {
    TestDriver.use();
    return new CudaBackend(Precision.FLOAT32);
  }

  /** Small ops that no program of a model uses in this form: its composite ops all have kernels. */
  @Override
  protected Set<String> knownUnsupported() {
    return Set.of("Add", "AtMost", "BroadcastTo", "Concat", "Exp", "Iota", "Log", "MaxLast", "Multiply", "Nf4Absmax",
        "Nf4Dequantize", "Reciprocal", "Slice", "Sqrt", "SumTo", "Transpose");
  }
}
