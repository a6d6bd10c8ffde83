package dev.jqlora.engine.backend;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.plan.Operand;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.LongSupplier;

/**
 * The states of a session that are in pages of one pool: keeps the pool as large as the account says, brings in what a step
 * uses, and finds the bytes of a state wherever they are. What the memory is, and how it is copied, is the backend's.
 */
public final class PagedStates {
  /** Memory for pages: a pool on the device, and room on the host for those that are not in it, zeroed. */
  public interface Memory extends Pager.Mover {
    /** Makes a zeroed pool. */
    void openPool(long bytes);

    /** Gives the pool of so many bytes back, in which no page is any more. */
    void closePool(long bytes);

    /**
     * Overwrites bytes of a page.
     *
     * @param place of the page in the pool; empty where it is on the host
     * @param offset within the page
     */
    void write(Page page, OptionalLong place, long offset, MemorySegment bytes);

    /** Reads bytes of a page; see {@link #write}. */
    void read(Page page, OptionalLong place, long offset, MemorySegment target);
  }

  private interface Access {
    void part(Page page, OptionalLong place, long offset, MemorySegment bytes);
  }

  private final LongSupplier size;
  private final PageTable table;
  private final Pager pager;
  private final Memory memory;
  private long poolBytes;
  /** Whether all bytes are still the zeros that they began as. */
  private boolean untouched = true;

  /** For a session whose pages share a pool. */
  public PagedStates(SessionAccount account, Memory memory) {
    this(account.pages(), account::poolBytes, memory);
  }

  /**
   * For one pool of several.
   *
   * @param table the states in it
   * @param size the bytes that it should have now
   */
  public PagedStates(PageTable table, LongSupplier size, Memory memory) {
    this.table = table;
    this.size = size;
    this.memory = memory;
    pager = new Pager(table, memory);
  }

  public boolean contains(String state) {
    return table.contains(state);
  }

  public PagingCounts counts() {
    return pager.counts();
  }

  /**
   * Gives the pool back if the account now has another size for it.
   *
   * @return whether there was one that was given back: no page is any more where it was
   */
  public boolean fit() {
    boolean misfit = poolBytes != size.getAsLong();
    boolean open = poolBytes > 0;
    if (misfit) {
      pager.evictAll();
      close();
    }
    return misfit && open;
  }

  /** Whether the pool has room for all pages, so that one that was brought stays until {@link #fit} gives the pool back. */
  public boolean holdsAll() {
    return poolBytes == table.totalBytes();
  }

  /** Gives the pool back, and what is in it up. */
  public void close() {
    if (poolBytes > 0) {
      memory.closePool(poolBytes);
    }
    poolBytes = 0;
  }

  /** Makes the pool if there is none; where it holds all pages from the start, none is ever moved. */
  private void open() {
    long bytes = size.getAsLong();
    if (poolBytes == bytes) {
      return;
    }
    memory.openPool(bytes);
    poolBytes = bytes;
    pager.open(poolBytes);
    if (poolBytes == table.totalBytes() && untouched) {
      pager.beginInPool();
    }
    untouched = false;
  }

  /** Brings the pages that a step uses into the pool, until the next call. */
  public void bring(List<Operand> reads, List<Operand> writes, int[] indices) {
    if (size.getAsLong() > 0) {
      open();
      pager.bring(reads, writes, indices);
    }
  }

  /** The page of an operand. */
  public Page page(String state, long offset) {
    return table.page(state, offset);
  }

  /** Where in the pool a page lies that was brought. */
  public long place(Page page) {
    return pager.offset(page).orElseThrow();
  }

  public void write(String state, long offset, MemorySegment bytes) {
    forEachPart(state, offset, bytes, (page, place, within, part) -> {
      memory.write(page, place, within, part);
      if (place.isPresent()) {
        pager.written(page);
      } else {
        untouched = false;
      }
    });
  }

  public void read(String state, long offset, MemorySegment target) {
    forEachPart(state, offset, target, memory::read);
  }

  private void forEachPart(String state, long offset, MemorySegment bytes, Access access) {
    open();
    for (long done = 0; done < bytes.byteSize();) {
      Page page = table.page(state, offset + done);
      long within = offset + done - page.offset();
      long count = Math.min(page.bytes() - within, bytes.byteSize() - done);
      access.part(page, pager.offset(page), within, bytes.asSlice(done, count));
      done += count;
    }
  }
}
