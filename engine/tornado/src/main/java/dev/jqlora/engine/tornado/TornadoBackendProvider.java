package dev.jqlora.engine.tornado;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import java.util.List;

/** Offers the backend where Java was started with TornadoVM's argument file. */
public final class TornadoBackendProvider implements BackendProvider {
  /** Bytes for the largest task graph that is written. */
  private static final int LEAST_BYTECODE = 1 << 20;
  /** Parts of the names of OpenCL's flags for relaxed mathematics, which TornadoVM gives where it is told no flags. */
  private static final List<String> RELAXED = List.of("fast-relaxed", "finite-math", "unsafe");

  @Override
  public String name() {
    return "tornado";
  }

  @Override
  public boolean isInstalled() {
    return System.getProperty("tornado.load.runtime.implementation") != null;
  }

  @Override
  public String unavailable() {
    if (!isInstalled()) {
      return "Java was not started with TornadoVM's argument file: set TORNADOVM_HOME and start jqlora with"
          + " --backend tornado";
    }
    if (!"false".equalsIgnoreCase(System.getProperty("tornado.recover.bailout"))) {
      return "TornadoVM would replace kernels that it cannot compile by wrong ones: start Java with"
          + " -Dtornado.recover.bailout=false";
    }
    if (Integer.getInteger("tornado.tvm.maxbytecodesize", 0) < LEAST_BYTECODE) {
      return "large task graphs would overflow TornadoVM's tables and compute nonsense: start Java with"
          + " -Dtornado.tvm.maxbytecodesize=" + LEAST_BYTECODE;
    }
    String flags = System.getProperty("tornado.opencl.compiler.flags");
    if (flags == null || RELAXED.stream().anyMatch(flags::contains)) {
      return "the driver would compute as if no number were NaN or infinite, and miss gradients that overflow: start"
          + " Java with -Dtornado.opencl.compiler.flags=-w";
    }
    return "";
  }

  /** @param threads not used: the device's driver decides */
  @Override
  public Backend create(int threads) {
    return new TornadoBackend();
  }
}
