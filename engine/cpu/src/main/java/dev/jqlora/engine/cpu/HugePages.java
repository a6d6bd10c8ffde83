package dev.jqlora.engine.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandleProxies;
import java.util.Locale;
import java.util.Optional;

/**
 * Native memory in pages of 2 MiB, where Linux gives them to those who ask ({@code madvise(MADV_HUGEPAGE)}): a processor
 * remembers the addresses of a few thousand pages, and weights are a million ordinary ones. What that gains depends on the
 * machine: on a virtual one, in two short runs, two threads read such memory at 22 to 43 GB/s and ordinary memory at 3 to 40.
 *
 * <p>Elsewhere, or where Linux declines, memory is the ordinary kind.
 */
final class HugePages {
  private static final long PAGE = 2L << 20;
  /** Memory below this is not worth the pages. */
  private static final long LEAST = 2 * PAGE;

  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
  private static final int MADV_HUGEPAGE = 14;
  private static final long MAP_FAILED = -1;

  private static final Optional<Functions> FUNCTIONS = Functions.find();

  private HugePages() {}

  /** The system's functions, with C's types but for pointers. */
  private record Functions(Mmap mmap, Madvise madvise, Munmap munmap) {
    public interface Mmap {
      MemorySegment call(MemorySegment address, long bytes, int protection, int flags, int file, long offset);
    }

    public interface Madvise {
      int call(MemorySegment memory, long bytes, int advice);
    }

    public interface Munmap {
      int call(MemorySegment memory, long bytes);
    }

    static Optional<Functions> find() {
      if (!System.getProperty("os.name").equals("Linux")) {
        return Optional.empty();
      }
      try {
        return Optional.of(new Functions(
            function(Mmap.class, ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG),
            function(Madvise.class, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT),
            function(Munmap.class, JAVA_INT, ADDRESS, JAVA_LONG)));
      } catch (IllegalCallerException | UnsupportedOperationException _) {
        // Native access is denied to this module, or this Java has no linker.
        return Optional.empty();
      }
    }

    /** The function that has the interface's name. */
    private static <F> F function(Class<F> type, MemoryLayout result, MemoryLayout... arguments) {
      Linker linker = Linker.nativeLinker();
      String name = type.getSimpleName().toLowerCase(Locale.ROOT);
      return MethodHandleProxies.asInterfaceInstance(type, linker.downcallHandle(
          linker.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments)));
    }

    /** Zeroed memory that begins at a multiple of {@link #PAGE}; empty where the system has none. */
    Optional<MemorySegment> map(Arena arena, long bytes) {
      long mapped = bytes + PAGE;
      MemorySegment start = mmap.call(MemorySegment.NULL, mapped, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
      if (start.address() == MAP_FAILED) {
        return Optional.empty();
      }
      MemorySegment memory = start.reinterpret(mapped, arena, segment -> munmap.call(segment, mapped))
          .asSlice(Math.ceilDiv(start.address(), PAGE) * PAGE - start.address(), bytes);
      // Advice: where it is not taken, the pages are ordinary ones.
      madvise.call(memory, bytes, MADV_HUGEPAGE);
      return Optional.of(memory);
    }
  }

  /**
   * Zeroed memory that lives as long as the arena.
   *
   * @param alignment in bytes, at most a page's size
   * @throws OutOfMemoryError if there is not so much
   */
  static MemorySegment allocate(Arena arena, long bytes, long alignment) {
    return (bytes < LEAST ? Optional.<MemorySegment>empty() : FUNCTIONS.flatMap(system -> system.map(arena, bytes)))
        .orElseGet(() -> arena.allocate(bytes, alignment));
  }
}
