package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.SessionAccount;

/**
 * Managed memory, as bitsandbytes uses it for paged optimizers: a state has one address, and the driver keeps each part of it
 * on the device or on the host. A page that comes into the pool is prefetched to the device, one that leaves it to the host;
 * so the pool is no memory, but how much of the states is on the device. The driver moves whole pages of its own, of 64 KiB
 * or more: what shares one with a page that moves goes along, and comes back when a kernel touches it.
 */
final class ManagedPages extends DevicePages<Driver.Managed> {
  ManagedPages(Gpu gpu, SessionAccount account, DeviceCount memory, Staging staging) {
    super(gpu, account, memory, staging);
  }

  /** Where all pages have room, they go to the device at once. */
  @Override
  public void openPool(long bytes) {
    memory().hold(bytes);
    if (bytes == pages().totalBytes()) {
      pages().pages().forEach(page -> moveIn(page, 0));
    }
  }

  @Override
  public void closePool(long bytes) {
    memory().letGo(bytes);
  }

  @Override
  long address(Page page, long place) {
    return host(page.state()).address() + page.offset();
  }

  @Override
  Driver.Managed allocate(String state, long bytes) {
    return Driver.Managed.allocate(bytes, "paged state " + state);
  }

  @Override
  public void moveIn(Page page, long place) {
    gpu().prefetchToDevice(address(page, place), page.bytes());
  }

  @Override
  public void moveOut(Page page, long place) {
    gpu().prefetchToHost(address(page, place), page.bytes());
  }

  /** There is one copy of a page, which has to leave whether or not it was written. */
  @Override
  public void drop(Page page) {
    moveOut(page, 0);
  }
}
