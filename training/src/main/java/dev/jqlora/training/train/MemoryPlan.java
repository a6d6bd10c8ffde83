package dev.jqlora.training.train;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * The device memory of a run, every byte by name, known before anything is read or allocated. What a session comes to hold
 * is exactly this.
 *
 * @param limitBytes the most that may be used; {@link Long#MAX_VALUE} where nothing was said
 * @param states what lies there from begin to end
 * @param pages optimizer states that may leave for the host
 * @param programs what each program needs while it runs; they share one arena, as large as the largest needs
 * @param layoutBytes what the backend's layout takes beside states, pages and the largest arena, such as the headers of arrays
 * @param overheadBytes what the backend takes for itself
 * @param hostTableBytes the embedding table, where it stays in the host's memory and takes none of the device's
 */
public record MemoryPlan(long limitBytes, Part states, Pages pages, List<ProgramMemory> programs, long layoutBytes,
    long overheadBytes, long hostTableBytes) {
  public MemoryPlan {
    programs = List.copyOf(programs);
  }

  /** Bytes by name; a whole is the sum of its parts, where it has any. */
  public record Part(String name, long bytes, List<Part> parts) {
    public Part {
      parts = List.copyOf(parts);
    }

    static Part leaf(String name, long bytes) {
      return new Part(name, bytes, List.of());
    }

    /** The sum of some parts, those of no bytes left out. */
    static Part sum(String name, List<Part> parts) {
      List<Part> some = parts.stream().filter(part -> part.bytes() > 0).toList();
      return new Part(name, some.stream().mapToLong(Part::bytes).sum(), some);
    }
  }

  /**
   * States in pages.
   *
   * @param totalBytes device memory for all of them
   * @param leastBytes device memory for the most that a step needs at once: with less the run is refused
   * @param residentBytes device memory that they get under the limit, at least the least
   */
  public record Pages(long totalBytes, long leastBytes, long residentBytes) {}

  /**
   * What a program needs while it runs.
   *
   * @param name such as {@code train_step}
   * @param tokens that it is compiled for; 0 where it reads none
   * @param arenaBytes the memory for all that lives only during a run
   * @param liveBytes the most bytes in use at once, below which no placement gets
   * @param arena what the arena holds when it is fullest
   */
  public record ProgramMemory(String name, int tokens, long arenaBytes, long liveBytes, Part arena) {}

  /** The program that decides the arena's size. */
  public ProgramMemory largestProgram() {
    return programs.stream().max(Comparator.comparingLong(ProgramMemory::arenaBytes)).orElseThrow();
  }

  public long arenaBytes() {
    return programs.isEmpty() ? 0 : largestProgram().arenaBytes();
  }

  /** Without pages. */
  private long restBytes() {
    return overheadBytes + states.bytes() + arenaBytes() + layoutBytes;
  }

  /** The least with which the run can be done: all but the pages' minimum is on the host. */
  public long leastBytes() {
    return restBytes() + pages.leastBytes();
  }

  /** The most device memory in use at once. */
  public long peakBytes() {
    return restBytes() + pages.residentBytes();
  }

  public boolean isLimited() {
    return limitBytes < Long.MAX_VALUE;
  }

  public boolean fits() {
    return leastBytes() <= limitBytes;
  }

  /** Bytes as people read them, such as {@code 3.35 GiB}. */
  public static String text(long bytes) {
    String[] units = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    double value = bytes;
    while (Math.abs(value) >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit++;
    }
    return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.2f %s", value, units[unit]);
  }
}
