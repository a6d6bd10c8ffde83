package dev.jqlora.engine.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandleProxies;

/** The driver's call for page-locked memory. JCuda's makes a buffer of what it gets, and buffers end at 2 GiB. */
final class PageLocking {
  private static final Allocate ALLOCATE = MethodHandleProxies.asInterfaceInstance(Allocate.class,
      Linker.nativeLinker().downcallHandle(
          SymbolLookup.libraryLookup(Gpu.LIBRARY, Arena.global()).findOrThrow("cuMemAllocHost_v2"),
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG)));

  /** The function, with C's types but for the pointer. */
  public interface Allocate {
    int call(MemorySegment pointer, long bytes);
  }

  private PageLocking() {}

  /**
   * Returns the driver's code.
   *
   * @param pointer where the address goes
   */
  static int allocate(MemorySegment pointer, long bytes) {
    return ALLOCATE.call(pointer, bytes);
  }
}
