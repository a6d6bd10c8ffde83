package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.SessionAccount;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * A pool in device memory, and for states of which pages have left it page-locked memory on the host: for devices whose
 * driver does not move managed memory by itself, as on Windows and WSL.
 */
final class PooledPages extends DevicePages {
  private final Gpu gpu;
  private final SessionAccount account;
  private final DeviceCount memory;
  private final Map<String, Driver.Pinned> host = new HashMap<>();
  private long pool;
  private long poolBytes;

  PooledPages(Gpu gpu, SessionAccount account, DeviceCount memory, Staging staging) {
    super(gpu, staging);
    this.gpu = gpu;
    this.account = account;
    this.memory = memory;
  }

  @Override
  public void openPool(long bytes) {
    pool = memory.allocate(bytes, "the pool of pages");
    poolBytes = bytes;
    Driver.fill(pool, 0, 1, bytes, gpu.stream());
  }

  @Override
  public void closePool() {
    memory.free(pool, poolBytes);
    pool = 0;
  }

  @Override
  long address(Page page, long place) {
    return pool + place;
  }

  @Override
  MemorySegment host(String state) {
    return pinned(state).segment();
  }

  private Driver.Pinned pinned(String state) {
    return host.computeIfAbsent(state, name -> {
      Driver.Pinned pinned = Driver.Pinned.allocate(account.type(name).bytes());
      pinned.segment().fill((byte) 0);
      return pinned;
    });
  }

  @Override
  public void moveIn(Page page, long place) {
    Driver.copyIn(pool + place, pinned(page.state()), page.offset(), page.bytes(), gpu.stream());
  }

  @Override
  public void moveOut(Page page, long place) {
    Driver.copyOut(pinned(page.state()), page.offset(), pool + place, page.bytes(), gpu.stream());
  }

  @Override
  public void close() {
    if (pool != 0) {
      closePool();
    }
    host.values().forEach(Driver.Pinned::free);
    host.clear();
  }
}
