package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.Pager;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.plan.Operand;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The paged states of a session: a pool in device memory, and for states of which pages have left it page-locked memory on the
 * host. Copies go into the stream that the kernels go into, so each page is there when a kernel comes to it.
 */
final class CudaPages implements Pager.Mover {
  private final Gpu gpu;
  private final SessionAccount account;
  private final DeviceCount memory;
  private final PageTable table;
  private final Pager pager;
  private final Map<String, Driver.Pinned> host = new HashMap<>();
  private long pool;
  private long poolBytes;

  CudaPages(Gpu gpu, SessionAccount account, DeviceCount memory) {
    this.gpu = gpu;
    this.account = account;
    this.memory = memory;
    table = account.pages();
    pager = new Pager(table, this);
  }

  boolean contains(String state) {
    return table.contains(state);
  }

  boolean isEmpty() {
    return table.pages().isEmpty();
  }

  PagingCounts counts() {
    return pager.counts();
  }

  /** Gives the pool back if the account now has another size for it. */
  void fit() {
    if (poolBytes != account.poolBytes()) {
      pager.evictAll();
      freePool();
    }
  }

  private void freePool() {
    if (pool != 0) {
      memory.free(pool, poolBytes);
    }
    pool = 0;
    poolBytes = 0;
  }

  /** Makes the pool if there is none; where it holds all pages from the start, none is ever moved. */
  private void open() {
    if (poolBytes == account.poolBytes()) {
      return;
    }
    poolBytes = account.poolBytes();
    pool = memory.allocate(poolBytes, "the pool of pages");
    pager.open(poolBytes);
    if (poolBytes == table.totalBytes() && host.isEmpty()) {
      Driver.fill(pool, 0, 1, poolBytes, gpu.stream());
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

  /** The address of an operand in a page that was brought. */
  long address(String state, long offset) {
    Page page = table.page(state, offset);
    return pool + pager.offset(page).orElseThrow() + offset - page.offset();
  }

  void write(String state, long offset, MemorySegment bytes, CudaSession session) {
    long done = 0;
    while (done < bytes.byteSize()) {
      Page page = table.page(state, offset + done);
      long within = offset + done - page.offset();
      long count = Math.min(page.bytes() - within, bytes.byteSize() - done);
      OptionalLong place = place(page);
      if (place.isPresent()) {
        session.copyIn(pool + place.getAsLong() + within, bytes.asSlice(done, count), state);
        pager.written(page);
      } else {
        gpu.synchronize("writing state " + state);
        MemorySegment.copy(bytes, done, host(state).segment(), offset + done, count);
      }
      done += count;
    }
  }

  void read(String state, long offset, MemorySegment target, CudaSession session) {
    long done = 0;
    while (done < target.byteSize()) {
      Page page = table.page(state, offset + done);
      long within = offset + done - page.offset();
      long count = Math.min(page.bytes() - within, target.byteSize() - done);
      OptionalLong place = place(page);
      if (place.isPresent()) {
        session.copyOut(target.asSlice(done, count), pool + place.getAsLong() + within, state);
      } else {
        gpu.synchronize("reading state " + state);
        MemorySegment.copy(host(state).segment(), offset + done, target, done, count);
      }
      done += count;
    }
  }

  private OptionalLong place(Page page) {
    open();
    return pager.offset(page);
  }

  private Driver.Pinned host(String state) {
    return host.computeIfAbsent(state, name -> {
      Driver.Pinned memory = Driver.Pinned.allocate(account.type(name).bytes());
      memory.segment().fill((byte) 0);
      return memory;
    });
  }

  @Override
  public void moveIn(Page page, long offset) {
    Driver.copyIn(pool + offset, host(page.state()), page.offset(), page.bytes(), gpu.stream());
  }

  @Override
  public void moveOut(Page page, long offset) {
    Driver.copyOut(host(page.state()), page.offset(), pool + offset, page.bytes(), gpu.stream());
  }

  void close() {
    freePool();
    host.values().forEach(Driver.Pinned::free);
    host.clear();
  }
}
