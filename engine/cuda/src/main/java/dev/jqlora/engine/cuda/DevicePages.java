package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.PagedStates;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;

/**
 * The memory for a session's pages. Moves go into the stream that the kernels go into, so each page is there when a kernel
 * comes to it.
 */
abstract sealed class DevicePages implements PagedStates.Memory, AutoCloseable permits ManagedPages, PooledPages {
  private final Gpu gpu;
  private final Staging staging;

  DevicePages(Gpu gpu, Staging staging) {
    this.gpu = gpu;
    this.staging = staging;
  }

  /** The device's address of a page in the pool. */
  abstract long address(Page page, long place);

  /** A state's memory on the host, zeroed at first; it has the bytes of the pages that are not in the pool. */
  abstract MemorySegment host(String state);

  @Override
  public void write(Page page, OptionalLong place, long offset, MemorySegment bytes) {
    if (place.isPresent()) {
      staging.copyIn(address(page, place.getAsLong()) + offset, bytes, page.state());
    } else {
      gpu.synchronize("writing state " + page.state());
      MemorySegment.copy(bytes, 0, host(page.state()), page.offset() + offset, bytes.byteSize());
    }
  }

  @Override
  public void read(Page page, OptionalLong place, long offset, MemorySegment target) {
    if (place.isPresent()) {
      staging.copyOut(target, address(page, place.getAsLong()) + offset, page.state());
    } else {
      gpu.synchronize("reading state " + page.state());
      MemorySegment.copy(host(page.state()), page.offset() + offset, target, 0, target.byteSize());
    }
  }

  @Override
  public abstract void close();
}
