package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;

/** The same where products are computed on tensor cores, by the tolerances of factors that are rounded to bfloat16. */
class CudaBf16ConformanceTest extends CudaConformanceTest {
  @Override
  protected Backend backend() {
    TestDriver.use();
    return new CudaBackend(Precision.BF16);
  }

  @Override
  protected void check(CaseRun run, CaseList cases) {
    super.check(run, cases.ofBf16Products());
  }
}
