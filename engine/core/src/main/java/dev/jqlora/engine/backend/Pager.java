package dev.jqlora.engine.backend;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.plan.Operand;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;

/**
 * Decides which pages lie in a pool of device memory, and where: whatever a backend's memory is, it pages by these rules. A
 * page that is wanted comes in at the lowest place that is free; where none is, the page that was not used for longest goes
 * to the host, if it was written since it came. Pages that are wanted at the same time stay; where the gaps between them are
 * too small for what is still missing, all go and come back side by side. So whatever fits into the pool finds a place.
 *
 * <p>The pages that a loop will want are known beforehand. A backend whose copies run beside its kernels may therefore
 * {@link #bring} those of the next step at once, provided that copies and kernels keep the order in which they were issued.
 */
public final class Pager {
  /** Copies pages. The page's memory on the host is the backend's affair. */
  public interface Mover {
    /** Copies a page from the host to an offset in the pool. */
    void moveIn(Page page, long offset);

    /** Copies a page from an offset in the pool to the host. */
    void moveOut(Page page, long offset);

    /** A page leaves the pool that the host has as it is. */
    default void drop(Page page) {}
  }

  /** A page in the pool; {@code dirty} where the host does not have its bytes. */
  private record Resident(long offset, boolean dirty) {}

  private final PageTable table;
  private final Mover mover;
  /** The least recently used first. */
  private final LinkedHashMap<Page, Resident> resident = new LinkedHashMap<>();
  private final TreeMap<Long, Page> byOffset = new TreeMap<>();
  private long poolBytes;
  private PagingCounts counts = PagingCounts.NONE;

  public Pager(PageTable table, Mover mover) {
    this.table = table;
    this.mover = mover;
  }

  public PagingCounts counts() {
    return counts;
  }

  /** Begins with an empty pool of another size; no page may be in the old one. */
  public void open(long bytes) {
    if (!resident.isEmpty()) {
      throw new IllegalStateException("%d pages are in the pool".formatted(resident.size()));
    }
    poolBytes = bytes;
  }

  /** Declares that all pages, whose bytes are nowhere yet, begin in the pool; they must fit. */
  public void beginInPool() {
    placeCompactly(table.pages(), true);
  }

  /** Sends all pages to the host. */
  public void evictAll() {
    while (!resident.isEmpty()) {
      evict(resident.firstEntry().getKey());
    }
  }

  /** Where a page lies in the pool; empty where it is on the host. */
  public OptionalLong offset(Page page) {
    Resident place = resident.get(page);
    return place == null ? OptionalLong.empty() : OptionalLong.of(place.offset());
  }

  /** Notes that a page in the pool was written to. */
  public void written(Page page) {
    resident.replace(page, new Resident(offset(page).orElseThrow(), true));
  }

  /**
   * Brings the pages of a step into the pool. They stay where they are until the next call.
   *
   * @param reads operands that the step reads
   * @param writes operands that it writes
   * @param indices of the enclosing loops, outermost first
   */
  public void bring(List<Operand> reads, List<Operand> writes, int[] indices) {
    Set<Page> wanted = new LinkedHashSet<>();
    reads.forEach(operand -> addPage(operand, indices, wanted));
    Set<Page> written = new LinkedHashSet<>();
    writes.forEach(operand -> addPage(operand, indices, written));
    wanted.addAll(written);
    bring(wanted);
    written.forEach(this::written);
  }

  private void addPage(Operand operand, int[] indices, Set<Page> pages) {
    String state = operand.slot().state();
    if (state != null && table.contains(state)) {
      pages.add(table.page(state, operand.slot().at(indices)));
    }
  }

  /**
   * Brings pages into the pool, for use together until the next call. Where a copy fails, those that are not in yet are
   * as they were: on the host.
   */
  void bring(Set<Page> wanted) {
    Set<Page> missing = new LinkedHashSet<>();
    for (Page page : wanted) {
      Resident place = resident.get(page);
      if (place == null) {
        missing.add(page);
      } else {
        resident.putLast(page, place);
      }
    }
    try {
      placeMissing(missing, wanted);
      for (Iterator<Page> rest = missing.iterator(); rest.hasNext(); rest.remove()) {
        moveIn(rest.next());
      }
    } finally {
      // Pages that have a place but not yet their bytes: none, unless something failed.
      missing.forEach(this::remove);
    }
  }

  /** Gives each missing page a place; all that are wanted are missing where they had to make room for each other. */
  private void placeMissing(Set<Page> missing, Set<Page> wanted) {
    for (Page page : List.copyOf(missing)) {
      long offset = makeRoom(page, wanted);
      if (offset < 0) {
        evictAll();
        missing.addAll(wanted);
        placeCompactly(wanted, false);
        return;
      }
      place(page, new Resident(offset, false));
    }
  }

  /** The lowest free place for a page, made by evictions if need be; -1 where only wanted pages are left to evict. */
  private long makeRoom(Page page, Set<Page> wanted) {
    long gap = gap(page.deviceBytes());
    while (gap < 0 && !resident.isEmpty() && !wanted.contains(resident.firstEntry().getKey())) {
      evict(resident.firstEntry().getKey());
      gap = gap(page.deviceBytes());
    }
    return gap;
  }

  private long gap(long bytes) {
    long end = 0;
    for (Map.Entry<Long, Page> next : byOffset.entrySet()) {
      if (next.getKey() - end >= bytes) {
        return end;
      }
      end = next.getKey() + next.getValue().deviceBytes();
    }
    return poolBytes - end >= bytes ? end : -1;
  }

  private void placeCompactly(Collection<Page> pages, boolean dirty) {
    long end = 0;
    for (Page page : pages) {
      if (end + page.deviceBytes() > poolBytes) {
        throw new IllegalStateException("a pool of %,d bytes is too small for %s".formatted(poolBytes, pages));
      }
      place(page, new Resident(end, dirty));
      end += page.deviceBytes();
    }
  }

  private void place(Page page, Resident place) {
    resident.putLast(page, place);
    byOffset.put(place.offset(), page);
  }

  private void remove(Page page) {
    Resident place = resident.remove(page);
    if (place != null) {
      byOffset.remove(place.offset());
    }
  }

  private void moveIn(Page page) {
    long start = System.nanoTime();
    mover.moveIn(page, offset(page).orElseThrow());
    counts = counts.movedIn(page.bytes(), System.nanoTime() - start);
  }

  /** Where the copy fails, the page stays: its bytes are nowhere else. */
  private void evict(Page page) {
    Resident place = Objects.requireNonNull(resident.get(page));
    if (place.dirty()) {
      long start = System.nanoTime();
      mover.moveOut(page, place.offset());
      counts = counts.movedOut(page.bytes(), System.nanoTime() - start);
    } else {
      mover.drop(page);
    }
    remove(page);
  }
}
