package dev.jqlora.engine.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The driver's call for page-locked memory. JCuda's makes a buffer of what it gets, and buffers end at 2 GiB. */
final class PageLocking {
  private static final MethodHandle ALLOCATE = Linker.nativeLinker().downcallHandle(
      SymbolLookup.libraryLookup(Gpu.LIBRARY, Arena.global()).findOrThrow("cuMemAllocHost_v2"),
      FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));

  private PageLocking() {}

  /**
   * Returns the driver's code.
   *
   * @param pointer where the address goes
   */
  static int allocate(MemorySegment pointer, long bytes) {
    try {
      return (int) ALLOCATE.invokeExact(pointer, bytes);
    } catch (Throwable e) {
      throw new IllegalStateException("the driver's library cannot be called", e);
    }
  }
}
