package dev.jqlora.engine.tornado;

import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where the arena's bytes lie in arrays that each hold one element type. For a type, the ranges of the arena that ever hold
 * it are moved together in their order, so a range keeps its inner order and no two that the plan holds apart meet.
 */
final class ArenaMap {
  /** Per type: where a range begins in the arena, to its end. */
  private final Map<DType, TreeMap<Long, Long>> ranges = new EnumMap<>(DType.class);
  /** Per type: where a range begins in the arena, to where it begins among the ranges of its type. */
  private final Map<DType, TreeMap<Long, Long>> moved = new EnumMap<>(DType.class);
  private final Map<DType, Long> bytes = new EnumMap<>(DType.class);

  ArenaMap(Plan plan) {
    plan.feeds().values().forEach(operand -> add(operand, List.of()));
    plan.fetches().values().forEach(operand -> add(operand, List.of()));
    add(plan.steps(), List.of());
    ranges.forEach((kind, byBegin) -> {
      TreeMap<Long, Long> places = new TreeMap<>();
      long end = 0;
      for (Map.Entry<Long, Long> range : byBegin.entrySet()) {
        places.put(range.getKey(), end);
        end += range.getValue() - range.getKey();
      }
      moved.put(kind, places);
      bytes.put(kind, end);
    });
  }

  private void add(List<Step> steps, List<Integer> counts) {
    for (Step step : steps) {
      switch (step) {
        case Step.Launch launch -> {
          launch.inputs().forEach(operand -> add(operand, counts));
          launch.outputs().forEach(operand -> add(operand, counts));
          if (launch.scratchBytes() > 0) {
            add(launch.scratch(), DType.F32, launch.scratchBytes(), counts);
          }
        }
        case Step.Copy(Operand from, Operand to) -> {
          add(from, counts);
          add(to, counts);
        }
        case Step.Loop loop -> {
          List<Integer> inner = new ArrayList<>(counts);
          inner.add(loop.count());
          add(loop.index(), inner);
          add(loop.body(), inner);
        }
      }
    }
  }

  private void add(Operand operand, List<Integer> counts) {
    TensorType type = operand.type();
    add(operand.slot(), DeviceArrays.kind(type.dtype()), type.bytes(), counts);
  }

  private void add(Slot slot, DType kind, long size, List<Integer> counts) {
    if (slot.state() != null) {
      return;
    }
    // A tensor without elements has no range, but kernels are given an array for it too.
    bytes.putIfAbsent(kind, 0L);
    if (size == 0) {
      return;
    }
    long begin = slot.offset();
    long end = begin + size;
    for (int depth = 0; depth < slot.strides().size(); depth++) {
      end += slot.strides().get(depth) * (counts.get(depth) - 1);
    }
    TreeMap<Long, Long> byBegin = ranges.computeIfAbsent(kind, _ -> new TreeMap<>());
    Map.Entry<Long, Long> before = byBegin.floorEntry(begin);
    if (before != null && before.getValue() >= begin) {
      begin = before.getKey();
      end = Math.max(end, before.getValue());
    }
    for (Map.Entry<Long, Long> next = byBegin.ceilingEntry(begin); next != null
        && next.getKey() <= end; next = byBegin.ceilingEntry(begin)) {
      end = Math.max(end, next.getValue());
      byBegin.remove(next.getKey());
    }
    byBegin.put(begin, end);
  }

  /** Bytes of the array for each type that the arena holds. */
  Map<DType, Long> bytes() {
    return bytes;
  }

  /** Where a byte of the arena lies in the array of a type. */
  long at(DType kind, long offset) {
    Map.Entry<Long, Long> range = moved.getOrDefault(kind, new TreeMap<>()).floorEntry(offset);
    return range == null ? 0 : range.getValue() + offset - range.getKey();
  }
}
