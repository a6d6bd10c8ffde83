package dev.jqlora.engine.tornado;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.WorkerGrid;

/** The task graphs of a session, in the order in which an execution plan numbers them. */
final class Graphs {
  private final List<ImmutableTaskGraph> graphs = new ArrayList<>();
  private final List<Integer> kernels = new ArrayList<>();
  private final Map<String, WorkerGrid> grids = new LinkedHashMap<>();
  private long bytes;

  int size() {
    return graphs.size();
  }

  /** Tasks of all graphs. */
  int kernels() {
    return grids.size();
  }

  /** Tasks of one graph. */
  int kernels(int graph) {
    return kernels.get(graph);
  }

  /** Device memory of what graphs have for themselves. */
  long bytes() {
    return bytes;
  }

  /** Ends a graph and adds it; returns its number. */
  int add(GraphWriter writer, Object[] resident) {
    graphs.add(writer.finish(resident));
    grids.putAll(writer.grids());
    kernels.add(writer.grids().size());
    bytes += writer.bytes();
    return graphs.size() - 1;
  }

  /** A plan that can run any of them. */
  TornadoExecutionPlan plan() {
    TornadoExecutionPlan plan = new TornadoExecutionPlan(graphs.toArray(ImmutableTaskGraph[]::new));
    GridScheduler scheduler = new GridScheduler();
    grids.forEach(scheduler::addWorkerGrid);
    plan.withGridScheduler(scheduler);
    return plan;
  }
}
