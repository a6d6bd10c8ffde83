package dev.jqlora.engine.tornado;

import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.Pager;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Slot;
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
 * in the array of that type. Pages come in through the graphs by which the host writes to arrays.
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
  private final class Pool implements Pager.Mover {
    private final PageTable table = new PageTable();
    private final Pager pager = new Pager(table, this);
    private final DType kind;
    private long bytes = -1;

    Pool(DType kind) {
      this.kind = kind;
    }

    @Override
    public void moveIn(Page page, long offset) {
      device.write(memory.pool(kind), offset, host(page));
    }

    @Override
    public void moveOut(Page page, long offset) {
      device.read(memory.pool(kind), offset, host(page));
    }

    /** Begins to use a pool of the size that the account has for it; one that holds all pages begins with them. */
    void open(long size) {
      if (bytes != size) {
        bytes = size;
        pager.open(size);
        if (size == table.totalBytes() && table.pages().stream().noneMatch(page -> host.containsKey(page.state()))) {
          pager.beginInPool();
        }
      }
    }

    void close() {
      pager.evictAll();
      bytes = -1;
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
    return pools.values().stream().map(pool -> pool.pager.counts()).reduce(PagingCounts.NONE, PagingCounts::plus);
  }

  /** Sends the pages of pools to the host for which the account now has another size. */
  void fit() {
    account.pools().forEach((kind, bytes) -> {
      Pool pool = pool(kind);
      if (pool.bytes >= 0 && pool.bytes != bytes) {
        pool.close();
      }
    });
  }

  /** Uses the pools, which are on the device now. */
  void open() {
    account.pools().forEach((kind, bytes) -> pool(kind).open(bytes));
  }

  private Pool pool(DType kind) {
    return Objects.requireNonNull(pools.get(kind));
  }

  private Pool pool(String state) {
    return pool(DeviceArrays.kind(account.type(state).dtype()));
  }

  /** Brings the pages that a step uses into the pools, until the next call. */
  void bring(List<Operand> reads, List<Operand> writes, int[] indices) {
    pools.values().forEach(pool -> pool.pager.bring(reads, writes, indices));
  }

  /** The element of its array at which an operand lies, in a page that was brought. */
  int element(Slot slot, int[] indices) {
    String state = Objects.requireNonNull(slot.state());
    Pool pool = pool(state);
    long offset = slot.at(indices);
    Page page = pool.table.page(state, offset);
    long within = pool.pager.offset(page).orElseThrow() + offset - page.offset();
    return Math.toIntExact(memory.pool(pool.kind).first() + within / pool.kind.bytes());
  }

  void write(String state, long offset, MemorySegment bytes) {
    Pool pool = pool(state);
    for (long done = 0; done < bytes.byteSize();) {
      Page page = pool.table.page(state, offset + done);
      long within = offset + done - page.offset();
      long count = Math.min(page.bytes() - within, bytes.byteSize() - done);
      OptionalLong place = pool.pager.offset(page);
      if (place.isPresent()) {
        device.write(memory.pool(pool.kind), place.getAsLong() + within, bytes.asSlice(done, count));
        pool.pager.written(page);
      } else {
        MemorySegment.copy(bytes, done, host(page), within, count);
      }
      done += count;
    }
  }

  void read(String state, long offset, MemorySegment target) {
    Pool pool = pool(state);
    for (long done = 0; done < target.byteSize();) {
      Page page = pool.table.page(state, offset + done);
      long within = offset + done - page.offset();
      long count = Math.min(page.bytes() - within, target.byteSize() - done);
      OptionalLong place = pool.pager.offset(page);
      if (place.isPresent()) {
        device.read(memory.pool(pool.kind), place.getAsLong() + within, target.asSlice(done, count));
      } else {
        MemorySegment.copy(host(page), within, target, done, count);
      }
      done += count;
    }
  }

  private MemorySegment host(Page page) {
    return host.computeIfAbsent(page.state(),
        state -> hostArena.allocate(account.type(state).bytes(), SessionAccount.ALIGNMENT))
        .asSlice(page.offset(), page.bytes());
  }

  @Override
  public void close() {
    hostArena.close();
  }
}
