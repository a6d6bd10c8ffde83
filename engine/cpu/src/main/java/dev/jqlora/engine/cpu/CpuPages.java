package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.PagedStates;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.tensor.Alignment;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The memory for a session's pages: a pool that counts as device memory, and for states of which pages have left it memory
 * that counts as the host's. Copies are made at once, on the calling thread: kernels and copies share one memory, so a copy
 * in the background would take from the kernels what it gains.
 */
final class CpuPages implements PagedStates.Memory, AutoCloseable {
  private final SessionAccount account;
  private final DeviceMemory memory;
  private final Arena hostArena = Arena.ofShared();
  private final Map<String, MemorySegment> host = new HashMap<>();
  private DeviceMemory.Region poolRegion;
  private MemorySegment pool = MemorySegment.NULL;

  CpuPages(SessionAccount account, DeviceMemory memory) {
    this.account = account;
    this.memory = memory;
    poolRegion = memory.region();
  }

  MemorySegment pool() {
    return pool;
  }

  @Override
  public void openPool(long bytes) {
    pool = poolRegion.allocate(bytes);
  }

  @Override
  public void closePool(long bytes) {
    poolRegion.close();
    poolRegion = memory.region();
    pool = MemorySegment.NULL;
  }

  @Override
  public void write(Page page, OptionalLong place, long offset, MemorySegment bytes) {
    MemorySegment.copy(bytes, 0, bytes(page, place), offset, bytes.byteSize());
  }

  @Override
  public void read(Page page, OptionalLong place, long offset, MemorySegment target) {
    MemorySegment.copy(bytes(page, place), offset, target, 0, target.byteSize());
  }

  private MemorySegment bytes(Page page, OptionalLong place) {
    return place.isPresent() ? pool.asSlice(place.getAsLong(), page.bytes()) : host(page);
  }

  private MemorySegment host(Page page) {
    return host
        .computeIfAbsent(page.state(),
            state -> hostArena.allocate(account.type(state).bytes(), Alignment.BYTES))
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
