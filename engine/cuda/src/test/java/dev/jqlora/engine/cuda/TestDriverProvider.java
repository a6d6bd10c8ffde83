package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import java.util.Map;

/** The backend on the {@link TestDriver}, for the tests that other modules run on every backend there is. */
public class TestDriverProvider implements BackendProvider {
  private final String name;
  private final Precision precision;

  /** In float32, as {@code cuda-test}. */
  public TestDriverProvider() {
    this("cuda-test", Precision.FLOAT32);
  }

  private TestDriverProvider(String name, Precision precision) {
    this.name = name;
    this.precision = precision;
  }

  /** With tensor cores, as {@code cuda-test-bf16}. */
  public static final class Bf16 extends TestDriverProvider {
    public Bf16() {
      super("cuda-test-bf16", Precision.BF16);
    }
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String unavailable() {
    return KernelSources.have("g++") ? "" : "there is no g++ to build the CUDA backend's test driver with";
  }

  @Override
  public Backend create(int threads) {
    return TestDriver.unchecked(precision, Map.of());
  }
}
