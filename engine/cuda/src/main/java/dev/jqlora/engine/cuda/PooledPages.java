package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.SessionAccount;

/**
 * A pool in device memory, and for states of which pages have left it page-locked memory on the host: for devices whose
 * driver does not move managed memory by itself, as on Windows and WSL.
 */
final class PooledPages extends DevicePages<Driver.Pinned> {
  private long pool;

  PooledPages(Gpu gpu, SessionAccount account, DeviceCount memory, Staging staging) {
    super(gpu, account, memory, staging);
  }

  @Override
  public void openPool(long bytes) {
    pool = memory().allocate(bytes, "the pool of pages");
    Driver.fill(pool, 0, 1, bytes, gpu().stream());
  }

  @Override
  public void closePool(long bytes) {
    memory().free(pool, bytes);
    pool = 0;
  }

  @Override
  long address(Page page, long place) {
    return pool + place;
  }

  @Override
  Driver.Pinned allocate(String state, long bytes) {
    return Driver.Pinned.allocate(bytes);
  }

  @Override
  public void moveIn(Page page, long place) {
    Driver.copyIn(pool + place, host(page.state()), page.offset(), page.bytes(), gpu().stream());
  }

  @Override
  public void moveOut(Page page, long place) {
    Driver.copyOut(host(page.state()), page.offset(), pool + place, page.bytes(), gpu().stream());
  }

  @Override
  public void close() {
    if (pool != 0) {
      Driver.free(pool);
    }
    super.close();
  }
}
