package dev.jqlora.engine.tornado;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
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
  /** States begin at multiples of so many elements, and an array holds at least as many. */
  private static final int ALIGNMENT = 64;

  /** Where a state lies. */
  record Home(TornadoNativeArray array, int first, TensorType type) {
    MemorySegment bytes() {
      return array.getSegment().asSlice((long) first * type.dtype().bytes(), type.bytes());
    }
  }

  /** An array for states and, behind them, the arena. */
  private static final class Region {
    final DType kind;
    final boolean isGrowing;
    long states;
    long arena;
    @Nullable
    TornadoNativeArray array;

    Region(DType kind, boolean isGrowing) {
      this.kind = kind;
      this.isGrowing = isGrowing;
    }

    TornadoNativeArray array() {
      return Objects.requireNonNull(array);
    }
  }

  private record Spot(Region region, long first, TensorType type) {}

  private final long mostBytes;
  private final FloatArray tables = Tables.create();
  private final Map<DType, Region> arenas = new EnumMap<>(DType.class);
  private final List<Region> regions = new ArrayList<>();
  private final Map<String, Spot> spots = new LinkedHashMap<>();

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
      region.arena = ALIGNMENT;
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
    long elements = align(type.elements());
    Region region = arena(kind);
    if (!region.isGrowing) {
      Region last = regions.getLast();
      boolean joins = last.kind == kind && last.array == null && last.arena == 0
          && fits(kind, last.states + elements);
      region = joins ? last : new Region(kind, false);
      if (!joins) {
        regions.add(region);
      }
    }
    spots.put(state, new Spot(region, region.states, type));
    region.states += elements;
  }

  private boolean fits(DType kind, long elements) {
    return elements <= Integer.MAX_VALUE - ALIGNMENT && elements * kind.bytes() < mostBytes - ALIGNMENT;
  }

  private static long align(long elements) {
    return (elements + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Asks for room in the arena, for {@link #settle}; returns whether it is there already. */
  boolean reserve(Map<DType, Long> bytes) {
    boolean enough = true;
    for (Map.Entry<DType, Long> entry : bytes.entrySet()) {
      Region region = arena(entry.getKey());
      region.arena = Math.max(region.arena, align(entry.getValue() / entry.getKey().bytes() + 1));
      enough &= region.array != null && region.array.getSize() >= region.states + region.arena;
    }
    return enough;
  }

  /**
   * Makes the arrays that are missing or too small. What was in states stays there.
   *
   * @throws JqloraException of kind MEMORY where an array is more than the device allocates
   */
  void settle() {
    for (Region region : regions) {
      long elements = region.states + region.arena;
      TornadoNativeArray old = region.array;
      if (old != null && old.getSize() >= elements) {
        continue;
      }
      if (!fits(region.kind, elements)) {
        throw new JqloraException(JqloraException.Kind.MEMORY,
            "%s memory takes %,d bytes in one array, but this device allocates %,d at most: lower cutoff_len or the batch size, or choose another device"
                .formatted(region.kind, elements * region.kind.bytes(), mostBytes));
      }
      TornadoNativeArray array = DeviceArrays.allocate(region.kind, (int) elements);
      if (old != null) {
        MemorySegment.copy(old.getSegment(), 0, array.getSegment(), 0,
            Math.min(old.getNumBytesOfSegment(), region.states * region.kind.bytes()));
      }
      region.array = array;
    }
  }

  Home home(String state) {
    Spot spot = Objects.requireNonNull(spots.get(state), state);
    return new Home(spot.region.array(), (int) spot.first, spot.type);
  }

  /** Arrays with states. */
  List<TornadoNativeArray> withStates() {
    return regions.stream().filter(region -> region.states > 0).map(Region::array).toList();
  }

  /** All arrays that graphs share. */
  Object[] resident() {
    List<Object> all = new ArrayList<>(regions.stream().map(Region::array).toList());
    all.add(tables);
    return all.toArray();
  }

  /** Where an operand of a plan lies. */
  Place place(Operand operand, ArenaMap map) {
    return place(operand.slot(), operand.type().dtype(), map);
  }

  Place place(Slot slot, DType dtype, ArenaMap map) {
    DType kind = DeviceArrays.kind(dtype);
    int[] strides = slot.strides().stream().mapToInt(stride -> Math.toIntExact(stride / kind.bytes())).toArray();
    String state = slot.state();
    if (state != null) {
      Home home = home(state);
      return new Place(home.array(), Math.toIntExact(home.first() + slot.offset() / kind.bytes()), strides);
    }
    Region region = arena(kind);
    return new Place(region.array(), Math.toIntExact(region.states + map.at(kind, slot.offset()) / kind.bytes()),
        strides);
  }
}
