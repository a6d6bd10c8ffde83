package dev.jqlora.engine.testkit;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * Executes the steps of a plan in real memory and trusts none of them. The arena is poison at the start of a run; a step
 * may not read what no step has written, may not write over an operand unless its op allows exactly that, and must stay
 * within its memory. Each node is evaluated in float64 and rounded to its storage type. Throws AssertionError naming the
 * step where a plan is wrong.
 */
public final class PlanExecutor {
  /** As floats these bytes are NaN, as indices they are out of range. */
  private static final byte POISON = (byte) 0xff;

  private final Plan plan;
  private final Map<String, Memory> states = new TreeMap<>();
  private final Memory arena;
  private int[] indices = {};
  private long launches;
  private long copiedBytes;

  /** @param states memory of each state by name; the executor reads and writes it in place */
  public PlanExecutor(Plan plan, Map<String, Tensor> states) {
    this.plan = plan;
    states.forEach((name, tensor) -> this.states.put(name, new Memory(name, tensor.data(), true)));
    arena = new Memory("arena", Arena.ofAuto().allocate(plan.arenaBytes()), false);
  }

  /** Kernels launched so far. */
  public long launches() {
    return launches;
  }

  /** Bytes moved by copy steps so far. */
  public long copiedBytes() {
    return copiedBytes;
  }

  /** Runs the plan once, given all its feeds; the results are copies. */
  public Map<String, Tensor> run(Map<String, Tensor> feeds) {
    arena.poison(0, plan.arenaBytes());
    plan.feeds().forEach((name, operand) -> {
      range(operand).write(Objects.requireNonNull(feeds.get(name), name).data());
    });
    run(plan.steps());
    Map<String, Tensor> fetches = new LinkedHashMap<>();
    plan.fetches().forEach((name, operand) -> fetches.put(name,
        new Tensor(operand.type(), range(operand).read("fetch " + name))));
    return fetches;
  }

  private void run(List<Step> steps) {
    for (Step step : steps) {
      switch (step) {
        case Step.Launch launch -> launch(launch);
        case Step.Copy copy -> copy(copy);
        case Step.Loop loop -> loop(loop);
      }
    }
  }

  private void loop(Step.Loop loop) {
    require(loop.depth() == indices.length, "loop of depth %d stands at depth %d", loop.depth(), indices.length);
    int[] outer = indices;
    for (int i = 0; i < loop.count(); i++) {
      indices = Arrays.copyOf(outer, outer.length + 1);
      indices[outer.length] = loop.reverse() ? loop.count() - 1 - i : i;
      range(loop.index()).write(Tensor.scalar(indices[outer.length]).data());
      run(loop.body());
    }
    indices = outer;
  }

  private void copy(Step.Copy copy) {
    Range from = range(copy.from());
    Range to = range(copy.to());
    require(from.bytes == to.bytes, "copy of %s to %s", from, to);
    require(!from.overlaps(to), "copy of %s overlaps its target %s", from, to);
    to.write(from.read("copy"));
    copiedBytes += from.bytes;
  }

  private void launch(Step.Launch launch) {
    Node node = launch.node();
    List<Range> inputs = launch.inputs().stream().map(this::range).toList();
    List<Range> outputs = launch.outputs().stream().map(this::range).toList();
    checkOverlaps(node, inputs, outputs);
    List<Array64> arguments = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      arguments.add(Array64.of(new Tensor(launch.inputs().get(i).type(), inputs.get(i).read(node.label()))));
    }
    if (launch.scratchBytes() > 0) {
      Range scratch = new Range(memory(launch.scratch()), launch.scratch().at(indices), launch.scratchBytes());
      for (Range other : concat(inputs, outputs)) {
        require(!scratch.overlaps(other), "%s: scratch %s overlaps operand %s", node.label(), scratch, other);
      }
      scratch.memory.poison(scratch.offset, scratch.bytes);
    }
    List<Array64> results = evaluate(node, arguments);
    for (int i = 0; i < outputs.size(); i++) {
      Tensor result = Tensor.allocate(Arena.ofAuto(), results.get(i).type());
      results.get(i).copyTo(result);
      outputs.get(i).write(result.data());
    }
    launches++;
  }

  private static void checkOverlaps(Node node, List<Range> inputs, List<Range> outputs) {
    for (int output = 0; output < outputs.size(); output++) {
      Range written = outputs.get(output);
      for (int input = 0; input < inputs.size(); input++) {
        Range read = inputs.get(input);
        require(!written.overlaps(read) || written.equals(read) && node.op().inPlace(input, output),
            "%s: output %d at %s overlaps input %d at %s", node.label(), output, written, input, read);
      }
      for (Range other : outputs.subList(0, output)) {
        require(!written.overlaps(other), "%s: outputs %s and %s overlap", node.label(), written, other);
      }
    }
  }

  private static List<Array64> evaluate(Node node, List<Array64> arguments) {
    GraphBuilder builder = new GraphBuilder();
    List<Value> inputs = node.inputs().stream().map(value -> builder.input(value.name(), value.type())).toList();
    return new Interpreter().run(builder.build(builder.applyAll(node.op(), inputs)), arguments);
  }

  private Range range(Operand operand) {
    return new Range(memory(operand.slot()), operand.slot().at(indices), operand.type().bytes());
  }

  private Memory memory(Slot slot) {
    String state = slot.state();
    if (state == null) {
      return arena;
    }
    Memory memory = states.get(state);
    require(memory != null, "no state is named %s", state);
    return Objects.requireNonNull(memory);
  }

  private static <T> List<T> concat(List<T> first, List<T> second) {
    List<T> both = new ArrayList<>(first);
    both.addAll(second);
    return both;
  }

  private static void require(boolean condition, String format, Object... arguments) {
    if (!condition) {
      throw new AssertionError("wrong plan: " + format.formatted(arguments));
    }
  }

  /** Bytes, and which of them hold something. */
  private static final class Memory {
    final String name;
    final MemorySegment bytes;
    final BitSet defined = new BitSet();

    Memory(String name, MemorySegment bytes, boolean defined) {
      this.name = name;
      this.bytes = bytes;
      this.defined.set(0, Math.toIntExact(bytes.byteSize()), defined);
    }

    void poison(long offset, long size) {
      bytes.asSlice(offset, size).fill(POISON);
      defined.clear((int) offset, (int) (offset + size));
    }
  }

  private record Range(Memory memory, long offset, long bytes) {
    Range {
      require(offset >= 0 && offset + bytes <= memory.bytes.byteSize(), "%d bytes at %d are not within the %d of %s",
          bytes, offset, memory.bytes.byteSize(), memory.name);
    }

    boolean overlaps(Range other) {
      return memory == other.memory && offset < other.offset + other.bytes && other.offset < offset + bytes;
    }

    /** A copy of the bytes. */
    MemorySegment read(String reader) {
      int undefined = memory.defined.nextClearBit((int) offset);
      require(undefined >= offset + bytes, "%s reads %s, whose byte %d was never written", reader, this, undefined);
      MemorySegment copy = Arena.ofAuto().allocate(bytes, Alignment.BYTES);
      return copy.copyFrom(memory.bytes.asSlice(offset, bytes));
    }

    void write(MemorySegment source) {
      MemorySegment.copy(source, 0, memory.bytes, offset, bytes);
      memory.defined.set((int) offset, (int) (offset + bytes));
    }

    @Override
    public String toString() {
      return "%s[%d, %d)".formatted(memory.name, offset, offset + bytes);
    }
  }
}
