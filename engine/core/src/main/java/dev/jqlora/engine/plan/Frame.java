package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.plan.Placement.Buffer;
import dev.jqlora.engine.tensor.Alignment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The memory of one graph: which of its values lie in memory that belongs to others (states, carried values, stacked
 * outputs), and where within a frame of its own the rest lies. The body of a Repeat has a frame of its own, which lies in
 * its parent's frame while the Repeat runs.
 */
final class Frame {
  /**
   * What is asked of a frame about one output of its graph.
   *
   * @param outside whether there is memory outside that the output should end up in
   * @param over the input that occupies that memory before, if any
   */
  record Wish(boolean outside, @Nullable Value over) {
    static final Wish INSIDE = new Wish(false, null);
  }

  final Graph graph;
  final List<Buffer> buffers = new ArrayList<>();
  final Map<Value, Buffer> places = new HashMap<>();
  /** Values that are computed straight into the memory of the output with this index. */
  final Map<Value, Integer> outside = new HashMap<>();
  final Map<Node, Frame> children = new HashMap<>();
  final Map<Node, Buffer> scratch = new HashMap<>();
  /** Where an output that is only an input handed on waits, if another output goes to that input's memory. */
  final Map<Integer, Buffer> kept = new HashMap<>();
  final long bytes;
  final long liveBytes;

  private final List<Wish> wishes;
  private final Overlay overlay;
  private final Map<Value, Integer> lastUse = new HashMap<>();

  /**
   * @param given inputs that need a place in this frame
   * @param keptOutputs see {@link Overlay}
   */
  Frame(Graph graph, Set<Value> given, List<Wish> wishes, int keptOutputs, Capabilities capabilities) {
    this.graph = graph;
    this.wishes = wishes;
    this.overlay = new Overlay(graph, keptOutputs);
    int end = graph.nodes().size();
    for (int i = 0; i < end; i++) {
      for (Value input : graph.nodes().get(i).inputs()) {
        lastUse.put(overlay.root(input), i);
      }
    }
    graph.outputs().forEach(output -> lastUse.put(overlay.root(output), end));
    for (int i = 0; i < wishes.size(); i++) {
      Value output = graph.outputs().get(i);
      Wish wish = wishes.get(i);
      if (wish.outside() && overlay.isOwn(output)
          && (wish.over() == null || overlay.mayOverwrite(output, wish.over()))) {
        outside.put(overlay.root(output), i);
      }
    }
    for (Value input : graph.inputs()) {
      if (given.contains(input)) {
        place(input, -1, input.name());
      }
    }
    for (int i = 0; i < end; i++) {
      node(graph.nodes().get(i), i, capabilities);
    }
    for (int i = 0; i < keptOutputs; i++) {
      keep(i, end);
    }
    bytes = Placement.place(buffers);
    liveBytes = live();
  }

  private void keep(int output, int end) {
    Value value = overlay.root(graph.outputs().get(output));
    for (int i = 0; i < wishes.size(); i++) {
      if (value.equals(wishes.get(i).over()) && !overlay.root(graph.outputs().get(i)).equals(value)) {
        Buffer buffer = new Buffer(value.name() + " kept", value.type().bytes(), end, end);
        buffers.add(buffer);
        kept.put(output, buffer);
        return;
      }
    }
  }

  private void node(Node node, int step, Capabilities capabilities) {
    if (node.op() instanceof Reshape) {
      return;
    }
    Set<Buffer> taken = new HashSet<>();
    for (int i = 0; i < node.outputs().size(); i++) {
      Value output = node.outputs().get(i);
      if (outside.containsKey(output)) {
        continue;
      }
      Buffer reused = reusable(node, i, step, taken);
      if (reused == null) {
        place(output, step, node.label());
      } else {
        taken.add(reused);
        reused.last = lastUse.getOrDefault(output, step);
        places.put(output, reused);
      }
    }
    if (node.op() instanceof Repeat repeat) {
      Frame child = new Frame(repeat.body(), Set.of(repeat.body().inputs().getFirst()), wishes(node, repeat),
          repeat.carried(), capabilities);
      children.put(node, child);
      scratch(node, step, child.bytes, node.label() + " body");
    } else if (capabilities.supports(node) instanceof Support.Native(long scratchBytes) && scratchBytes > 0) {
      scratch(node, step, scratchBytes, node.label() + " scratch");
    }
  }

  /**
   * Carried values end where they began; stacked outputs go straight to their slice. Where that is the slice of a stacked
   * input, {@link Overlay#inPlace} has looked into the body already.
   */
  private static List<Wish> wishes(Node node, Repeat repeat) {
    List<Wish> wishes = new ArrayList<>();
    for (int i = 0; i < repeat.carried(); i++) {
      wishes.add(new Wish(true, repeat.bodyCarried().get(i)));
    }
    for (int i = repeat.carried(); i < node.outputs().size(); i++) {
      wishes.add(new Wish(true, null));
    }
    return wishes;
  }

  private @Nullable Buffer reusable(Node node, int output, int step, Set<Buffer> taken) {
    for (int i = 0; i < node.inputs().size(); i++) {
      Value input = overlay.root(node.inputs().get(i));
      Buffer buffer = places.get(input);
      if (buffer == null || taken.contains(buffer) || buffer.last != step || lastUse.getOrDefault(input, -1) != step
          || node.inputs().get(i).type().bytes() != node.outputs().get(output).type().bytes()) {
        continue;
      }
      boolean allowed = true;
      for (int use = 0; use < node.inputs().size(); use++) {
        if (places.get(overlay.root(node.inputs().get(use))) == buffer) {
          allowed &= node.op().inPlace(use, output);
        }
      }
      if (allowed) {
        return buffer;
      }
    }
    return null;
  }

  private void place(Value value, int step, String name) {
    Buffer buffer = new Buffer(name, value.type().bytes(), step, Math.max(step, lastUse.getOrDefault(value, step)));
    buffers.add(buffer);
    places.put(value, buffer);
  }

  private void scratch(Node node, int step, long size, String name) {
    Buffer buffer = new Buffer(name, size, step, step);
    buffers.add(buffer);
    scratch.put(node, buffer);
  }

  Value root(Value value) {
    return overlay.root(value);
  }

  /** The most bytes live at once, the bodies counted by what is live in them. */
  private long live() {
    long most = 0;
    for (int step = -1; step <= graph.nodes().size(); step++) {
      long live = Placement.liveBytes(buffers, step);
      if (step >= 0 && step < graph.nodes().size()) {
        Frame child = children.get(graph.nodes().get(step));
        live += child == null ? 0 : child.liveBytes - child.bytes;
      }
      most = Math.max(most, live);
    }
    return most;
  }

  private Plan.Kind kind(Buffer buffer) {
    if (scratch.containsValue(buffer)) {
      return Plan.Kind.SCRATCH;
    }
    for (Node node : children.keySet()) {
      if (node.outputs().stream().anyMatch(output -> places.get(output) == buffer)) {
        return Plan.Kind.CARRY;
      }
    }
    return buffer.first < 0 ? Plan.Kind.FEED : Plan.Kind.VALUE;
  }

  /** What is live at the fullest moment, down into the bodies. */
  List<Plan.Row> peak() {
    List<Plan.Row> rows = new ArrayList<>();
    int step = Placement.peakStep(buffers, graph.nodes().size());
    for (Buffer buffer : buffers) {
      if (buffer.liveAt(step)) {
        Frame child = children.entrySet().stream().filter(entry -> scratch.get(entry.getKey()) == buffer)
            .map(Map.Entry::getValue).findFirst().orElse(null);
        if (child == null) {
          rows.add(new Plan.Row(buffer.name, kind(buffer), Alignment.roundUp(buffer.bytes)));
        } else {
          child.peak().forEach(row -> rows.add(new Plan.Row(row.name(),
              row.kind() == Plan.Kind.SCRATCH ? Plan.Kind.SCRATCH : Plan.Kind.BODY, row.bytes())));
        }
      }
    }
    return rows;
  }
}
