package dev.jqlora.engine.tornado;

import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * A plan as task graphs: a straight run of steps is one graph, and a loop runs the graphs of its body again and again. The
 * first graph takes the feeds from the host, the last gives the fetches back; nothing else moves.
 */
final class DeviceProgram {
  /** What is run one after the other. */
  private sealed interface Part {
    /** A task graph of the session. */
    record Graph(int index) implements Part {}

    /** A task graph of one step that works on pages. */
    record Paged(int index, List<Operand> reads, List<Operand> writes, PageSlots slots) implements Part {}

    record Loop(Step.Loop step, List<Part> body) implements Part {}
  }

  /** Where host and device exchange a tensor. */
  private record Exchange(TensorType type, TornadoNativeArray array, int first) {
    Tensor tensor() {
      MemorySegment bytes = array.getSegment().asSlice((long) first * type.dtype().bytes(), type.bytes());
      return new Tensor(type, bytes);
    }
  }

  private final Plan plan;
  private final ArenaMap arena;
  private final DeviceMemory memory;
  private final Object[] resident;
  private final Graphs graphs;
  private final TornadoKernels kernels;
  private final String name;
  private final Map<String, Exchange> feeds;
  private final Map<String, Exchange> fetches;
  private final List<Part> parts = new ArrayList<>();
  private @Nullable GraphWriter open;

  /**
   * Writes the graphs of a plan.
   *
   * @param graphs of the session, to which the plan's are added
   */
  DeviceProgram(Plan plan, ArenaMap arena, DeviceMemory memory, Graphs graphs, TornadoKernels kernels) {
    this.plan = plan;
    this.arena = arena;
    this.memory = memory;
    this.resident = memory.resident();
    this.graphs = graphs;
    this.kernels = kernels;
    name = "p" + graphs.size();
    feeds = exchanges(plan.feeds());
    fetches = exchanges(plan.fetches());
    if (plan.fetches().values().stream().anyMatch(memory::isPaged)) {
      throw new IllegalArgumentException(
          plan.program().name() + ": the TornadoVM backend fetches no state that is in pages: read it");
    }
    GraphWriter first = writer(List.of(), parts);
    arrays(feeds).forEach(array -> first.give(DataTransferMode.EVERY_EXECUTION, array));
    arrays(feeds).forEach(array -> exchange(first, array, feeds, plan.feeds(), true));
    write(plan.steps(), List.of(), parts);
    GraphWriter last = writer(List.of(), parts);
    arrays(fetches).forEach(array -> exchange(last, array, fetches, plan.fetches(), false));
    arrays(fetches).forEach(last::take);
    finish(parts);
  }

  private static Map<String, Exchange> exchanges(Map<String, Operand> operands) {
    Map<DType, Long> sizes = new EnumMap<>(DType.class);
    operands.values().forEach(operand -> sizes.merge(DeviceArrays.kind(operand.type().dtype()),
        Math.max(1, operand.type().elements()), Long::sum));
    Map<DType, TornadoNativeArray> arrays = new EnumMap<>(DType.class);
    sizes.forEach((kind, size) -> arrays.put(kind, DeviceArrays.allocate(kind, Math.toIntExact(size))));
    Map<DType, Integer> ends = new EnumMap<>(DType.class);
    Map<String, Exchange> exchanges = new LinkedHashMap<>();
    operands.forEach((name, operand) -> {
      DType kind = DeviceArrays.kind(operand.type().dtype());
      int first = ends.getOrDefault(kind, 0);
      exchanges.put(name, new Exchange(operand.type(), Objects.requireNonNull(arrays.get(kind)), first));
      ends.put(kind, Math.toIntExact(first + Math.max(1, operand.type().elements())));
    });
    return exchanges;
  }

  private static List<TornadoNativeArray> arrays(Map<String, Exchange> exchanges) {
    List<TornadoNativeArray> arrays = new ArrayList<>();
    exchanges.values().forEach(exchange -> {
      if (arrays.stream().noneMatch(array -> array == exchange.array())) {
        arrays.add(exchange.array());
      }
    });
    return arrays;
  }

  /** Copies between an array of exchange and the memory of the operands. */
  private void exchange(GraphWriter writer, TornadoNativeArray array, Map<String, Exchange> exchanges,
      Map<String, Operand> operands, boolean in) {
    IdentityHashMap<TornadoNativeArray, List<Copies.Part>> parts = new IdentityHashMap<>();
    exchanges.forEach((name, exchange) -> {
      Operand operand = Objects.requireNonNull(operands.get(name));
      if (exchange.array() == array && operand.type().elements() > 0) {
        Place place = place(operand);
        int count = Math.toIntExact(operand.type().elements());
        parts.computeIfAbsent(place.array(), _ -> new ArrayList<>())
            .add(in
                ? new Copies.Part(exchange.first(), place.first(), count)
                : new Copies.Part(place.first(), exchange.first(), count));
      }
    });
    parts.forEach((device, list) -> Copies.emit(writer, in ? array : device, in ? device : array, list));
  }

  private Place place(Operand operand) {
    return memory.place(operand, arena);
  }

  /** The graph that is being written, or a new one. */
  private GraphWriter writer(List<Step.Loop> loops, List<Part> to) {
    if (open != null && open.isFull()) {
      finish(to);
    }
    if (open == null) {
      List<Place> indices = loops.stream().map(loop -> place(loop.index())).toList();
      open = new GraphWriter(name + "g" + graphs.size(), resident, loops, indices);
    }
    return open;
  }

  private void finish(List<Part> to) {
    if (open != null && !open.isEmpty()) {
      to.add(new Part.Graph(graphs.add(open, resident)));
    }
    open = null;
  }

  private void write(List<Step> steps, List<Step.Loop> loops, List<Part> to) {
    for (Step step : steps) {
      switch (step) {
        case Step.Launch launch -> step(launch.inputs(), launch.outputs(), loops, to,
            writers -> launch(writers, launch));
        case Step.Copy(Operand from, Operand target) -> step(List.of(from), List.of(target), loops, to,
            writers -> copy(writers.get(), from.type().dtype(), place(from), place(target), from.type().elements()));
        case Step.Loop loop -> {
          finish(to);
          List<Step.Loop> inner = new ArrayList<>(loops);
          inner.add(loop);
          List<Part> body = new ArrayList<>();
          write(loop.body(), inner, body);
          finish(body);
          to.add(new Part.Loop(loop, body));
        }
      }
    }
  }

  /**
   * Writes a step; one that works on pages has a graph of its own, before which they are brought.
   *
   * @param emit is given what gives the graph to write to
   */
  private void step(List<Operand> reads, List<Operand> writes, List<Step.Loop> loops, List<Part> to,
      Consumer<Supplier<GraphWriter>> emit) {
    if (Stream.concat(reads.stream(), writes.stream()).noneMatch(memory::isPaged)) {
      emit.accept(() -> writer(loops, to));
      return;
    }
    finish(to);
    GraphWriter writer = writer(loops, to);
    PageSlots slots = writer.withPages();
    emit.accept(() -> writer);
    to.add(new Part.Paged(graphs.add(writer, resident), reads, writes, slots));
    open = null;
  }

  private void launch(Supplier<GraphWriter> writers, Step.Launch launch) {
    List<TensorType> types = new ArrayList<>();
    List<Place> places = new ArrayList<>();
    launch.inputs().forEach(operand -> {
      types.add(operand.type());
      places.add(place(operand));
    });
    launch.outputs().forEach(operand -> {
      types.add(operand.type());
      places.add(place(operand));
    });
    places.add(memory.place(launch.scratch(), DType.F32, arena));
    kernels.emit(launch.node().op(),
        new Launch(writers, types, places, launch.inputs().size(), memory.floats(), memory.tables()));
  }

  private static void copy(GraphWriter writer, DType dtype, Place from, Place to, long elements) {
    Copies.emit(writer, dtype, from.array(), writer.enter(from), to.array(), writer.enter(to), elements);
  }

  /** Runs the program; {@code execute} runs one task graph of the session. */
  Map<String, Tensor> run(Map<String, Tensor> given, TornadoPages pages, IntConsumer execute) {
    feeds.forEach((feed, exchange) -> exchange.tensor().data()
        .copyFrom(Objects.requireNonNull(given.get(feed), feed).data()));
    run(parts, new int[0], pages, execute);
    Map<String, Tensor> results = new LinkedHashMap<>();
    fetches.forEach((fetch, exchange) -> results.put(fetch, exchange.tensor()));
    return results;
  }

  private static void run(List<Part> parts, int[] outer, TornadoPages pages, IntConsumer execute) {
    for (Part part : parts) {
      switch (part) {
        case Part.Graph(int index) -> execute.accept(index);
        case Part.Paged(int index, List<Operand> reads, List<Operand> writes, PageSlots slots) -> {
          pages.bring(reads, writes, outer);
          slots.fill(slot -> pages.element(slot, outer));
          execute.accept(index);
        }
        case Part.Loop(Step.Loop step, List<Part> body) -> {
          int[] indices = Arrays.copyOf(outer, outer.length + 1);
          for (int i = 0; i < step.count(); i++) {
            indices[outer.length] = step.reverse() ? step.count() - 1 - i : i;
            run(body, indices, pages, execute);
          }
        }
      }
    }
  }

  Plan plan() {
    return plan;
  }
}
