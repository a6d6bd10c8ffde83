package dev.jqlora.engine.tornado;

import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.WorkerGrid;
import uk.ac.manchester.tornado.api.WorkerGrid1D;
import uk.ac.manchester.tornado.api.WorkerGrid3D;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Writes one task graph. Its tasks find their operands through a small array of offsets that belongs to the graph. In a graph
 * that is the body of a loop, a first task counts the iterations and moves the offsets of slices: the host sends nothing, and
 * one compiled graph serves all iterations.
 */
final class GraphWriter {
  /** Work-items of a group, in kernels that have no reason for another size. */
  static final int GROUP = 64;
  /** From so many tasks on a program goes on in another graph: what is written at a time then fits below the limit. */
  private static final int MANY_TASKS = 48;
  /** 5.2.0 keeps a graph's tasks in tables of this length. */
  static final int MOST_TASKS = 256;
  private static final int OFFSETS = 1 << 13;
  private static final int COUNTER = 0;
  private static final int TABLE_SIZE = 1;
  private static final int TABLE = 2;
  /** Where the loops' numbers go, outermost first. */
  private static final int INDICES = 3;
  private static final int FIRST_OFFSET = INDICES + 2;
  /** Depth of nested loops that the first task can count. */
  static final int MOST_LOOPS = 2;

  /** What TornadoVM sends with each task. */
  private static final int TASK_BYTES = 24;

  private record Moving(int entry, int first, List<Integer> strides) {}

  private final String name;
  private final TaskGraph graph;
  private final Hashes hashes = new Hashes();
  private final KernelContext context;
  private final IntArray at;
  private final Map<String, WorkerGrid> grids = new LinkedHashMap<>();
  private final List<Moving> moving = new ArrayList<>();
  private @Nullable PageSlots pages;
  private @Nullable ByteArray noBytes;
  private @Nullable ShortArray noShorts;
  private int entries = FIRST_OFFSET;
  private int tasks;
  private long bytes;

  /**
   * @param loops that the graph is run in, outermost first
   * @param indices where the loops' numbers go, one for each, in the array of whole numbers
   */
  GraphWriter(String name, Object[] resident, List<Step.Loop> loops, List<Place> indices) {
    this.name = name;
    graph = new TaskGraph(name);
    hashes.add(resident);
    context = hashes.make(KernelContext::new);
    hashes.add(context);
    at = hashes.make(() -> new IntArray(OFFSETS));
    give(DataTransferMode.FIRST_EXECUTION, at);
    if (resident.length > 0) {
      graph.consumeFromDevice(resident);
    }
    if (loops.size() > MOST_LOOPS) {
      throw new IllegalArgumentException(
          "the TornadoVM backend runs loops within %d loops at most".formatted(MOST_LOOPS));
    }
    if (!loops.isEmpty()) {
      Step.Loop outer = loops.getFirst();
      boolean nested = loops.size() > 1;
      at.set(INDICES, indices.getFirst().first());
      at.set(INDICES + 1, indices.getLast().first());
      groups(1).task(id(), GraphWriter::advance, context, at, (IntArray) indices.getFirst().array(), outer.count(),
          outer.reverse() ? 1 : 0, nested ? loops.get(1).count() : 1, nested && loops.get(1).reverse() ? 1 : 0);
    }
  }

  /** Takes the next iteration's numbers from the counter, and writes them and the offsets that depend on them. */
  static void advance(KernelContext context, IntArray at, IntArray ints, int outerCount, int outerReverse,
      int innerCount,
      int innerReverse) {
    int counter = at.get(COUNTER);
    int inner = counter % innerCount;
    int outer = counter / innerCount;
    if (innerReverse == 1) {
      inner = innerCount - 1 - inner;
    }
    if (outerReverse == 1) {
      outer = outerCount - 1 - outer;
    }
    // All read the counter before one writes it, and a local barrier orders local memory alone.
    context.globalBarrier();
    if (context.localIdx == 0) {
      at.set(COUNTER, (counter + 1) % (outerCount * innerCount));
      ints.set(at.get(INDICES + 1), inner);
      ints.set(at.get(INDICES), outer);
    }
    int size = at.get(TABLE_SIZE);
    int table = at.get(TABLE);
    for (int i = context.localIdx; i < size; i += GROUP) {
      int row = table + 4 * i;
      at.set(at.get(row), at.get(row + 1) + outer * at.get(row + 2) + inner * at.get(row + 3));
    }
  }

  String name() {
    return name;
  }

  boolean isEmpty() {
    return tasks == 0;
  }

  boolean isFull() {
    return tasks >= MANY_TASKS || needed() > OFFSETS / 2;
  }

  /** Entries of the offsets and of the table behind them. */
  private int needed() {
    return entries + 4 * moving.size();
  }

  /** Device memory of a graph of so many tasks that has no arrays of its own but the offsets. */
  static long bytes(int tasks) {
    return DeviceArrays.bytes(DType.I32, OFFSETS) + (long) TASK_BYTES * tasks;
  }

  /** Device memory of what the graph has for itself. */
  long bytes() {
    return bytes + (long) TASK_BYTES * tasks;
  }

  /** Sends arrays of the graph's own to the device. */
  void give(int mode, TornadoNativeArray... arrays) {
    hashes.add((Object[]) arrays);
    for (TornadoNativeArray array : arrays) {
      bytes += array.getNumBytesOfSegmentWithHeader();
    }
    graph.transferToDevice(mode, (Object[]) arrays);
  }

  /** Sends arrays to the device that other graphs then find there. */
  void upload(Object[] resident) {
    hashes.add(resident);
    graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, resident);
  }

  /** Takes an array of the graph's own from the device after each run. */
  void take(TornadoNativeArray array) {
    hashes.add(array);
    bytes += array.getNumBytesOfSegmentWithHeader();
    graph.transferToHost(DataTransferMode.EVERY_EXECUTION, array);
  }

  /** Lets operands lie in pages: before each run the host says where they are. */
  PageSlots withPages() {
    PageSlots slots = new PageSlots(hashes);
    give(DataTransferMode.EVERY_EXECUTION, slots.array());
    groups(1).task(id(), PageSlots::locate, context, slots.array(), at);
    pages = slots;
    return slots;
  }

  TaskGraph graph() {
    return graph;
  }

  KernelContext context() {
    return context;
  }

  /** The offsets; a kernel reads its operands' at the entries that {@link #enter} gave. */
  IntArray at() {
    return at;
  }

  /** Keeps a place's offset up to date in {@link #at()}; returns its entry there. */
  int enter(Place place) {
    if (needed() + 5 >= OFFSETS) {
      throw new IllegalStateException(name + ": too many operands for one task graph");
    }
    int entry = entries++;
    at.set(entry, place.first());
    if (place.page() != null) {
      Objects.requireNonNull(pages).add(entry, place);
    } else if (place.moves()) {
      moving.add(new Moving(entry, place.first(), place.strides()));
    }
    return entry;
  }

  /** Numbers that go to the device once. */
  IntArray numbers(int... numbers) {
    IntArray array = hashes.make(() -> IntArray.fromElements(numbers));
    give(DataTransferMode.FIRST_EXECUTION, array);
    return array;
  }

  /** An array for a parameter that a task does not read. */
  ByteArray noBytes() {
    ByteArray none = noBytes;
    if (none == null) {
      none = hashes.make(() -> new ByteArray(1));
      give(DataTransferMode.FIRST_EXECUTION, none);
      noBytes = none;
    }
    return none;
  }

  /** See {@link #noBytes}. */
  ShortArray noShorts() {
    ShortArray none = noShorts;
    if (none == null) {
      none = hashes.make(() -> new ShortArray(1));
      give(DataTransferMode.FIRST_EXECUTION, none);
      noShorts = none;
    }
    return none;
  }

  /** The identifier of the task whose work-items were last declared. */
  String id() {
    return "t" + (tasks - 1);
  }

  /** The next task has a work-item for each of {@code count} elements, and some more that do nothing. */
  TaskGraph over(long count) {
    return groups(Math.toIntExact(Math.max(1, (count + GROUP - 1) / GROUP)));
  }

  /** The next task has so many groups of {@link #GROUP} work-items. */
  TaskGraph groups(int count) {
    WorkerGrid1D grid = new WorkerGrid1D(Math.multiplyExact(Math.max(1, count), GROUP));
    grid.setLocalWork(GROUP, 1, 1);
    return with(grid);
  }

  /** The next task has groups of {@code size} by {@code size} work-items. */
  TaskGraph squares(int columns, int rows, int layers, int size) {
    WorkerGrid3D grid = new WorkerGrid3D(Math.max(1, columns) * size, Math.max(1, rows) * size, Math.max(1, layers));
    grid.setLocalWork(size, size, 1);
    return with(grid);
  }

  private TaskGraph with(WorkerGrid grid) {
    if (tasks == MOST_TASKS) {
      throw new IllegalStateException("%s: more than %d tasks for one task graph".formatted(name, MOST_TASKS));
    }
    grids.put(name + ".t" + tasks++, grid);
    return graph;
  }

  Map<String, WorkerGrid> grids() {
    return grids;
  }

  /** Ends the graph. Arrays that it shares with others stay on the device. */
  ImmutableTaskGraph finish(Object[] resident) {
    at.set(TABLE_SIZE, moving.size());
    at.set(TABLE, entries);
    int row = entries;
    for (Moving place : moving) {
      at.set(row++, place.entry());
      at.set(row++, place.first());
      for (int depth = 0; depth < MOST_LOOPS; depth++) {
        at.set(row++, depth < place.strides().size() ? place.strides().get(depth) : 0);
      }
    }
    graph.persistOnDevice(resident);
    return graph.snapshot();
  }
}
