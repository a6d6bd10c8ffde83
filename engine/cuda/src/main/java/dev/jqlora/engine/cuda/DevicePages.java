package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.PagedStates;
import dev.jqlora.engine.backend.SessionAccount;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The memory for a session's pages. Moves go into the stream that the kernels go into, so each page is there when a kernel
 * comes to it.
 *
 * @param <M> a state's memory that the host sees: it has the bytes of the pages that are not in the pool
 */
abstract sealed class DevicePages<M extends Driver.HostMemory> implements PagedStates.Memory, AutoCloseable
    permits
    ManagedPages,
    PooledPages {
  private final Gpu gpu;
  private final SessionAccount account;
  private final DeviceCount memory;
  private final Staging staging;
  private final Map<String, M> states = new HashMap<>();

  DevicePages(Gpu gpu, SessionAccount account, DeviceCount memory, Staging staging) {
    this.gpu = gpu;
    this.account = account;
    this.memory = memory;
    this.staging = staging;
  }

  final Gpu gpu() {
    return gpu;
  }

  final PageTable pages() {
    return account.pages();
  }

  /** The session's count of device memory. */
  final DeviceCount memory() {
    return memory;
  }

  /** The device's address of a page in the pool. */
  abstract long address(Page page, long place);

  /** Makes the memory of a state. */
  abstract M allocate(String state, long bytes);

  /** A state's memory, zeroed at first. */
  final M host(String state) {
    return states.computeIfAbsent(state, name -> {
      M made = allocate(name, account.type(name).bytes());
      made.segment().fill((byte) 0);
      return made;
    });
  }

  @Override
  public void write(Page page, OptionalLong place, long offset, MemorySegment bytes) {
    if (place.isPresent()) {
      staging.copyIn(address(page, place.getAsLong()) + offset, bytes, page.state());
    } else {
      gpu.synchronize("writing state " + page.state());
      MemorySegment.copy(bytes, 0, host(page.state()).segment(), page.offset() + offset, bytes.byteSize());
    }
  }

  @Override
  public void read(Page page, OptionalLong place, long offset, MemorySegment target) {
    if (place.isPresent()) {
      staging.copyOut(target, address(page, place.getAsLong()) + offset, page.state());
    } else {
      gpu.synchronize("reading state " + page.state());
      MemorySegment.copy(host(page.state()).segment(), page.offset() + offset, target, 0, target.byteSize());
    }
  }

  @Override
  public void close() {
    states.values().forEach(Driver.HostMemory::free);
    states.clear();
  }
}
