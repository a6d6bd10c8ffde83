package dev.jqlora.engine.tornado;

import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.PagedStates;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * The paged states of a session. An array of the device has one element type, so there is a pool for each: behind the states
 * in the array of that type, which is there as long as the array is. Pages come in through the graphs by which the host
 * writes to arrays.
 */
final class TornadoPages implements AutoCloseable {
  /** Moves bytes between host and device. */
  interface Device {
    /** Writes to an array on the device, from so many bytes behind a place on. */
    void write(DeviceMemory.Home home, long offset, MemorySegment bytes);

    /** Reads likewise. */
    void read(DeviceMemory.Home home, long offset, MemorySegment target);
  }

  private final SessionAccount account;
  private final DeviceMemory memory;
  private final Device device;
  private final Arena hostArena = Arena.ofShared();
  private final Map<String, MemorySegment> host = new HashMap<>();
  private final Map<DType, Pool> pools = new EnumMap<>(DType.class);

  /** The pages of one element type. */
  private final class Pool implements PagedStates.Memory {
    private final DType kind;
    private final PageTable table = new PageTable();
    private final PagedStates states;

    Pool(DType kind) {
      this.kind = kind;
      states = new PagedStates(table, () -> account.pools().getOrDefault(kind, 0L), this);
    }

    /** The pool is part of an array, which {@link DeviceMemory} has made zeroed. */
    @Override
    public void openPool(long bytes) {}

    @Override
    public void closePool(long bytes) {}

    @Override
    public void moveIn(Page page, long offset) {
      device.write(memory.pool(kind), offset, host(page));
    }

    @Override
    public void moveOut(Page page, long offset) {
      device.read(memory.pool(kind), offset, host(page));
    }

    @Override
    public void write(Page page, OptionalLong place, long offset, MemorySegment bytes) {
      if (place.isPresent()) {
        device.write(memory.pool(kind), place.getAsLong() + offset, bytes);
      } else {
        MemorySegment.copy(bytes, 0, host(page), offset, bytes.byteSize());
      }
    }

    @Override
    public void read(Page page, OptionalLong place, long offset, MemorySegment target) {
      if (place.isPresent()) {
        device.read(memory.pool(kind), place.getAsLong() + offset, target);
      } else {
        MemorySegment.copy(host(page), offset, target, 0, target.byteSize());
      }
    }
  }

  TornadoPages(SessionAccount account, DeviceMemory memory, Device device) {
    this.account = account;
    this.memory = memory;
    this.device = device;
  }

  void add(String state, TensorType type, int count) {
    DType kind = DeviceArrays.kind(type.dtype());
    pools.computeIfAbsent(kind, Pool::new).table.add(state, type, count);
    memory.addPaged(state, type);
  }

  boolean contains(String state) {
    return account.pages().contains(state);
  }

  PagingCounts counts() {
    return pools.values().stream().map(pool -> pool.states.counts()).reduce(PagingCounts.NONE, PagingCounts::plus);
  }

  /** Sends the pages of pools to the host for which the account now has another size. */
  void fit() {
    pools.values().forEach(pool -> pool.states.fit());
  }

  private Pool pool(String state) {
    return Objects.requireNonNull(pools.get(DeviceArrays.kind(account.type(state).dtype())));
  }

  /** Brings the pages that a step uses into the pools, until the next call. */
  void bring(List<Operand> reads, List<Operand> writes, int[] indices) {
    pools.values().forEach(pool -> pool.states.bring(reads, writes, indices));
  }

  /** The element of its array at which an operand lies, in a page that was brought. */
  int element(Slot slot, int[] indices) {
    String state = Objects.requireNonNull(slot.state());
    Pool pool = pool(state);
    long offset = slot.at(indices);
    Page page = pool.states.page(state, offset);
    long within = pool.states.place(page) + offset - page.offset();
    return Math.toIntExact(memory.pool(pool.kind).first() + within / pool.kind.bytes());
  }

  void write(String state, long offset, MemorySegment bytes) {
    pool(state).states.write(state, offset, bytes);
  }

  void read(String state, long offset, MemorySegment target) {
    pool(state).states.read(state, offset, target);
  }

  private MemorySegment host(Page page) {
    return host.computeIfAbsent(page.state(),
        state -> hostArena.allocate(account.type(state).bytes(), Alignment.BYTES))
        .asSlice(page.offset(), page.bytes());
  }

  @Override
  public void close() {
    hostArena.close();
  }
}
