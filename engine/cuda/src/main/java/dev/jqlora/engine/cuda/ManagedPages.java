package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Managed memory, as bitsandbytes uses it for paged optimizers: a state has one address, and the driver keeps each part of it
 * on the device or on the host. A page that comes into the pool is prefetched to the device, one that leaves it to the host;
 * so the pool is no memory, but how much of the states is on the device. The driver moves whole pages of its own, of 64 KiB
 * or more: what shares one with a page that moves goes along, and comes back when a kernel touches it.
 */
final class ManagedPages extends DevicePages {
  private final Gpu gpu;
  private final SessionAccount account;
  private final DeviceCount memory;
  private final Map<String, Driver.Managed> states = new HashMap<>();
  private long poolBytes;

  ManagedPages(Gpu gpu, SessionAccount account, DeviceCount memory, Staging staging) {
    super(gpu, staging);
    this.gpu = gpu;
    this.account = account;
    this.memory = memory;
  }

  /** Where all pages have room, they go to the device at once. */
  @Override
  public void openPool(long bytes) {
    poolBytes = bytes;
    memory.hold(bytes);
    if (bytes == account.pages().totalBytes()) {
      account.pages().pages().forEach(page -> moveIn(page, 0));
    }
  }

  @Override
  public void closePool() {
    memory.letGo(poolBytes);
  }

  @Override
  long address(Page page, long place) {
    return managed(page.state()).address() + page.offset();
  }

  @Override
  MemorySegment host(String state) {
    return managed(state).segment();
  }

  private Driver.Managed managed(String state) {
    return states.computeIfAbsent(state, name -> {
      TensorType type = account.type(name);
      Driver.Managed managed = Driver.Managed.allocate(type.bytes(), "paged state " + name);
      managed.segment().fill((byte) 0);
      return managed;
    });
  }

  @Override
  public void moveIn(Page page, long place) {
    gpu.prefetchToDevice(address(page, place), page.bytes());
  }

  @Override
  public void moveOut(Page page, long place) {
    gpu.prefetchToHost(address(page, place), page.bytes());
  }

  /** There is one copy of a page, which has to leave whether or not it was written. */
  @Override
  public void drop(Page page) {
    moveOut(page, 0);
  }

  @Override
  public void close() {
    states.values().forEach(Driver.Managed::free);
    states.clear();
  }
}
