package dev.jqlora.cli;

import dev.jqlora.engine.cuda.TestDriver;

/** The command line in a process of its own, in which the CUDA driver is the one of the tests. */
public final class CudaShell {
  private CudaShell() {}

  public static void main(String[] arguments) {
    TestDriver.use();
    TestDriver.set("checked", 0);
    Main.main(arguments);
  }
}
