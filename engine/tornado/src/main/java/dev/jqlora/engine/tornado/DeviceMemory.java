package dev.jqlora.engine.tornado;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * The arrays that stay on the device. All F32 states and then the F32 part of the arena lie in one array, since a task may
 * name an array that it writes to only once; so do the I32 ones. Codes and 16-bit weights, which may be more than one array
 * can hold and which kernels write to one at a time, lie in several, and their part of the arena in another.
 */
final class DeviceMemory {
  /** Bytes at multiples of which states and pages begin; an array's arena has at least as many. */
  private static final int ALIGNMENT = Math.toIntExact(Alignment.BYTES);

  /** Where a state lies. */
  record Home(TornadoNativeArray array, int first, TensorType type) {
    MemorySegment bytes() {
      return array.getSegment().asSlice((long) first * type.dtype().bytes(), type.bytes());
    }
  }

  /** How many elements of an array are for states, pages and arena, one behind the other. */
  private record Extent(long states, long pages, long arena) {
    long elements() {
      return states + pages + arena;
    }
  }

  /** An array of the device. */
  private static final class Region {
    final DType kind;
    final boolean isGrowing;
    Extent extent = new Extent(0, 0, 0);
    /** The extent of the array that is there. */
    Extent settled = extent;
    @Nullable
    TornadoNativeArray array;

    Region(DType kind, boolean isGrowing) {
      this.kind = kind;
      this.isGrowing = isGrowing;
    }

    TornadoNativeArray array() {
      return Objects.requireNonNull(array);
    }

    boolean isSettled() {
      return array != null && extent.equals(settled);
    }

    long bytes() {
      return DeviceArrays.bytes(kind, extent.elements());
    }
  }

  private record Spot(Region region, long first, TensorType type) {}

  private final long mostBytes;
  private final FloatArray tables = Tables.create();
  private final Map<DType, Region> arenas = new EnumMap<>(DType.class);
  private final List<Region> regions = new ArrayList<>();
  private final Map<String, Spot> spots = new LinkedHashMap<>();
  private final Map<String, DType> paged = new HashMap<>();

  /** @param mostBytes the device's largest allocation */
  DeviceMemory(long mostBytes) {
    this.mostBytes = mostBytes;
    for (DType kind : List.of(DType.F32, DType.I32)) {
      arena(kind);
    }
  }

  private Region arena(DType kind) {
    return arenas.computeIfAbsent(kind, _ -> {
      Region region = new Region(kind, kind == DType.F32 || kind == DType.I32);
      region.extent = new Extent(0, 0, align(kind, 1));
      regions.add(region);
      return region;
    });
  }

  /** The array of all F32 operands. */
  FloatArray floats() {
    return (FloatArray) arena(DType.F32).array();
  }

  FloatArray tables() {
    return tables;
  }

  /** Gives a place to a new state, for {@link #settle}. */
  void add(String state, TensorType type) {
    DType kind = DeviceArrays.kind(type.dtype());
    long elements = align(kind, type.elements());
    Region region = arena(kind);
    if (!region.isGrowing) {
      Region last = regions.getLast();
      boolean joins = last.kind == kind && last.array == null && last.extent.arena == 0
          && fits(kind, last.extent.states + elements);
      region = joins ? last : new Region(kind, false);
      if (!joins) {
        regions.add(region);
      }
    }
    Extent old = region.extent;
    spots.put(state, new Spot(region, old.states, type));
    region.extent = new Extent(old.states + elements, old.pages, old.arena);
  }

  /** Notes that a state is in pages, which lie behind the states of the array that holds the arena of its type. */
  void addPaged(String state, TensorType type) {
    DType kind = DeviceArrays.kind(type.dtype());
    arena(kind);
    paged.put(state, kind);
  }

  /** Gives pools of pages so many bytes each, for {@link #settle}. */
  void setPools(Map<DType, Long> bytes) {
    bytes.forEach((kind, size) -> {
      Region region = arena(kind);
      region.extent = new Extent(region.extent.states, size / kind.bytes(), region.extent.arena);
    });
  }

  private boolean fits(DType kind, long elements) {
    return elements <= Integer.MAX_VALUE - ALIGNMENT && DeviceArrays.bytes(kind, elements) < mostBytes;
  }

  private static long align(DType kind, long elements) {
    long step = ALIGNMENT / kind.bytes();
    return (elements + step - 1) / step * step;
  }

  /** Asks for room in the arena, for {@link #settle}. */
  void reserve(Map<DType, Long> bytes) {
    bytes.forEach((kind, size) -> {
      Region region = arena(kind);
      Extent old = region.extent;
      region.extent = new Extent(old.states, old.pages, Math.max(old.arena, align(kind, size / kind.bytes() + 1)));
    });
  }

  /** Whether the arrays are as they were asked for. */
  boolean isSettled() {
    return regions.stream().allMatch(Region::isSettled);
  }

  /**
   * Device memory of the arrays and of what writes to them.
   *
   * @throws JqloraException of kind MEMORY where an array is more than the device allocates
   */
  long bytes() {
    regions.forEach(this::check);
    return regions.stream().mapToLong(region -> region.bytes() + Residence.stagingBytes(region.kind)).sum()
        + tables.getNumBytesOfSegmentWithHeader() + Residence.fixedBytes();
  }

  private void check(Region region) {
    Extent extent = region.extent;
    if (!fits(region.kind, extent.elements())) {
      throw new JqloraException(JqloraException.Kind.MEMORY,
          ("%s memory takes %,d bytes in one array (states %,d, pages %,d, arena %,d), but this device allocates %,d at most at"
              + " a time: %s, or choose another device")
              .formatted(region.kind, region.bytes(), extent.states * region.kind.bytes(),
                  extent.pages * region.kind.bytes(), extent.arena * region.kind.bytes(), mostBytes,
                  extent.arena > extent.states + extent.pages
                      ? "lower cutoff_len or the batch size"
                      : "quantize the model (quantization_bit: 4), lower lora_rank, or take a smaller model"));
    }
  }

  /**
   * Makes the arrays that are missing or not as they were asked for. What was in states stays there, and so do pages where
   * their pool keeps its size.
   *
   * @throws JqloraException of kind MEMORY where an array is more than the device allocates
   */
  void settle() {
    regions.forEach(this::check);
    settle(true);
  }

  /** Makes arrays that only stand for those of the device, to count what task graphs take for themselves. */
  void pretend() {
    settle(false);
  }

  private void settle(boolean real) {
    for (Region region : regions) {
      if (region.isSettled()) {
        continue;
      }
      Extent extent = region.extent;
      TornadoNativeArray array = DeviceArrays.allocate(region.kind, real ? (int) extent.elements() : 1);
      if (region.array != null) {
        Extent old = region.settled;
        copy(region, 0, array, 0, Math.min(old.states, extent.states));
        if (old.pages == extent.pages) {
          copy(region, old.states, array, extent.states, extent.pages);
        }
      }
      region.array = array;
      region.settled = extent;
    }
  }

  private static void copy(Region region, long from, TornadoNativeArray target, long to, long elements) {
    int width = region.kind.bytes();
    MemorySegment.copy(region.array().getSegment(), from * width, target.getSegment(), to * width, elements * width);
  }

  Home home(String state) {
    Spot spot = Objects.requireNonNull(spots.get(state), state);
    return new Home(spot.region.array(), (int) spot.first, spot.type);
  }

  /** The pool of pages of an element type: where it begins in which array. */
  Home pool(DType kind) {
    Region region = arena(kind);
    TensorType type = new TensorType(kind, Shape.of(Math.toIntExact(region.settled.pages)));
    return new Home(region.array(), Math.toIntExact(region.settled.states), type);
  }

  /** The arrays that hold states and pages, and arenas. */
  List<TornadoNativeArray> arrays() {
    return regions.stream().map(Region::array).toList();
  }

  /** All arrays that graphs share. */
  Object[] resident() {
    List<Object> all = new ArrayList<>(arrays());
    all.add(tables);
    return all.toArray();
  }

  /** Whether an operand lies in a page. */
  boolean isPaged(Operand operand) {
    String state = operand.slot().state();
    return state != null && paged.containsKey(state);
  }

  /** Where an operand of a plan lies. */
  Place place(Operand operand, ArenaMap map) {
    return place(operand.slot(), operand.type().dtype(), map);
  }

  Place place(Slot slot, DType dtype, ArenaMap map) {
    DType kind = DeviceArrays.kind(dtype);
    List<Integer> strides = slot.strides().stream().map(stride -> Math.toIntExact(stride / kind.bytes())).toList();
    String state = slot.state();
    if (state != null && paged.containsKey(state)) {
      return new Place(arena(kind).array(), 0, List.of(), slot);
    }
    if (state != null) {
      Home home = home(state);
      return new Place(home.array(), Math.toIntExact(home.first() + slot.offset() / kind.bytes()), strides);
    }
    Region region = arena(kind);
    Extent extent = region.extent;
    return new Place(region.array(),
        Math.toIntExact(extent.states + extent.pages + map.at(kind, slot.offset()) / kind.bytes()),
        strides);
  }
}
