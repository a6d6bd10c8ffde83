package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.Pager;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.plan.Operand;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The paged states of a session: a pool that counts as device memory, and for states of which pages have left it the memory
 * that counts as the host's. Copies are made at once, on the calling thread: kernels and copies share one memory, so a copy
 * in the background would take from the kernels what it gains.
 */
final class CpuPages implements Pager.Mover, AutoCloseable {
  private final SessionAccount account;
  private final DeviceMemory memory;
  private final PageTable table;
  private final Pager pager;
  private final Arena hostArena = Arena.ofShared();
  private final Map<String, MemorySegment> host = new HashMap<>();
  private DeviceMemory.Region poolRegion;
  private MemorySegment pool = MemorySegment.NULL;

  CpuPages(SessionAccount account, DeviceMemory memory) {
    this.account = account;
    this.memory = memory;
    poolRegion = memory.region();
    table = account.pages();
    pager = new Pager(table, this);
  }

  boolean contains(String state) {
    return table.contains(state);
  }

  PagingCounts counts() {
    return pager.counts();
  }

  /** Gives the pool back if the account now has another size for it. */
  void fit() {
    if (pool.byteSize() != account.poolBytes()) {
      pager.evictAll();
      poolRegion.close();
      poolRegion = memory.region();
      pool = MemorySegment.NULL;
    }
  }

  /** Makes the pool if there is none; where it holds all pages from the start, none is ever moved. */
  private void open() {
    if (pool.byteSize() == account.poolBytes()) {
      return;
    }
    pool = poolRegion.allocate(account.poolBytes());
    pager.open(pool.byteSize());
    if (pool.byteSize() == table.totalBytes() && host.isEmpty()) {
      pager.beginInPool();
    }
  }

  /** Brings the pages that a step uses into the pool, until the next call. */
  void bring(List<Operand> reads, List<Operand> writes, int[] indices) {
    if (account.poolBytes() > 0) {
      open();
      pager.bring(reads, writes, indices);
    }
  }

  /** The memory of an operand in a page that was brought. */
  MemorySegment memory(String state, long offset, long bytes) {
    Page page = table.page(state, offset);
    return pool.asSlice(pager.offset(page).orElseThrow() + offset - page.offset(), bytes);
  }

  void write(String state, long offset, MemorySegment bytes) {
    long done = 0;
    while (done < bytes.byteSize()) {
      Page page = table.page(state, offset + done);
      MemorySegment target = bytesOf(page, offset + done);
      long count = Math.min(target.byteSize(), bytes.byteSize() - done);
      MemorySegment.copy(bytes, done, target, 0, count);
      if (pager.offset(page).isPresent()) {
        pager.written(page);
      }
      done += count;
    }
  }

  void read(String state, long offset, MemorySegment target) {
    long done = 0;
    while (done < target.byteSize()) {
      MemorySegment source = bytesOf(table.page(state, offset + done), offset + done);
      long count = Math.min(source.byteSize(), target.byteSize() - done);
      MemorySegment.copy(source, 0, target, done, count);
      done += count;
    }
  }

  /** The bytes of a page, wherever they are, from an offset in the state to the page's end. */
  private MemorySegment bytesOf(Page page, long offset) {
    open();
    OptionalLong place = pager.offset(page);
    long within = offset - page.offset();
    return place.isPresent()
        ? pool.asSlice(place.getAsLong() + within, page.bytes() - within)
        : host(page).asSlice(within);
  }

  private MemorySegment host(Page page) {
    return host
        .computeIfAbsent(page.state(),
            state -> hostArena.allocate(account.type(state).bytes(), SessionAccount.ALIGNMENT))
        .asSlice(page.offset(), page.bytes());
  }

  @Override
  public void moveIn(Page page, long offset) {
    MemorySegment.copy(host(page), 0, pool, offset, page.bytes());
  }

  @Override
  public void moveOut(Page page, long offset) {
    MemorySegment.copy(pool, offset, host(page), 0, page.bytes());
  }

  @Override
  public void close() {
    poolRegion.close();
    hostArena.close();
  }
}
