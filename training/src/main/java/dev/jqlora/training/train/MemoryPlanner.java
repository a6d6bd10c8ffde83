package dev.jqlora.training.train;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.ModelLoader;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.training.config.OptimizerType;
import dev.jqlora.training.train.MemoryPlan.Part;
import dev.jqlora.training.train.MemoryPlan.ProgramMemory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Plans the memory of runs: builds and plans the programs that a run will compile, and adds up the states that it will
 * allocate. Opens no session and reads nothing. A program that several runs share is planned once.
 */
public final class MemoryPlanner {
  private static final String HEAD = "head and loss";

  private final Backend backend;
  private final Map<Object, Planned> planned = new HashMap<>();

  /** A program, its memory, and what it keeps for itself. */
  private record Planned(Plan plan, ProgramMemory memory, long ownBytes) {}

  public MemoryPlanner(Backend backend) {
    this.backend = backend;
  }

  /** What the backend rounds the factors of matrix products to. */
  DType products() {
    return backend.products();
  }

  /**
   * Plans a run.
   *
   * @param limitBytes the most device memory that may be used; {@link Long#MAX_VALUE} where nothing was said
   */
  public MemoryPlan plan(RunShape run, long limitBytes) {
    List<Trainable> trainables = run.trainables();
    OptimizerType optimizer = run.optimizer().type();
    PageTable pages = Trainable.pages(trainables, optimizer, backend);
    List<Planned> programs = programs(run, trainables, pages);
    Part states = states(run.layout(), trainables, optimizer);
    List<Plan> plans = programs.stream().map(Planned::plan).toList();
    long arena = plans.stream().mapToLong(Plan::arenaBytes).max().orElse(0);
    long resident = backend.residentBytes(stateTypes(run.layout(), trainables, optimizer), pages, plans)
        + programs.stream().mapToLong(Planned::ownBytes).sum();
    long rest = backend.overheadBytes() + resident;
    Map<DType, Long> sets = pages.workingSets(plans);
    long least = sets.values().stream().mapToLong(Long::longValue).sum();
    long inPool = Math.max(least, pages.poolBytes(limitBytes - rest));
    return new MemoryPlan(limitBytes, states, new MemoryPlan.Pages(pages.totalBytes(), least, inPool),
        programs.stream().map(Planned::memory).toList(), resident - states.bytes() - arena, backend.overheadBytes(),
        hostTableBytes(run.layout()));
  }

  private static List<TensorType> stateTypes(ModelLayout layout, List<Trainable> trainables, OptimizerType optimizer) {
    List<TensorType> types = new ArrayList<>(layout.outerStates().values());
    types.addAll(layout.layerStates().values());
    types.addAll(layout.adapterStates().values());
    for (Trainable trainable : trainables) {
      types.add(trainable.type());
      if (!optimizer.isPaged()) {
        types.addAll(trainable.optimizerStates(optimizer).values());
      }
    }
    return types;
  }

  private List<Planned> programs(RunShape run, List<Trainable> trainables, PageTable pages) {
    List<Planned> programs = new ArrayList<>();
    for (Program loading : ModelLoader.programs(run.layout(), backend)) {
      programs.add(program(loading.name(), 0, pages, () -> loading));
    }
    if (!trainables.isEmpty()) {
      TrainPrograms training = new TrainPrograms(run.layout(), trainables, run.save(), run.activations());
      int n = Bucket.of(run.train().total());
      programs.add(program(List.of("step", run.layout(), run.type(), run.save(), run.activations(), n), n, pages,
          () -> training.step(n)));
      programs.add(program(List.of("norm", run.layout(), run.type()), 0, pages, training::gradientNorm));
      programs.add(program(List.of("optimizer", run.layout(), run.type(), run.optimizer()), 0, pages,
          () -> OptimizerProgram.of(trainables, run.optimizer())));
    }
    if (!run.evaluation().isNone()) {
      int n = Bucket.of(run.evaluation().total());
      programs.add(program(List.of("evaluation", run.layout(), n, run.predictions(), run.activations()), n, pages,
          () -> TrainPrograms.evaluation(run.layout(), n, run.predictions(), run.activations())));
    }
    return programs;
  }

  /** @param key equal for equal programs */
  private Planned program(Object key, int tokens, PageTable pages, Supplier<Program> program) {
    Planned known = planned.get(key);
    if (known == null) {
      Plan plan = Planner.plan(program.get(), backend);
      known = new Planned(plan, new ProgramMemory(plan.program().name(), tokens, plan.arenaBytes(), plan.liveBytes(),
          arena(plan)), backend.programBytes(plan, pages));
      planned.put(key, known);
    }
    return known;
  }

  private static Part arena(Plan plan) {
    Map<String, List<Part>> groups = new LinkedHashMap<>();
    for (String group : List.of("feeds", "carries", "body", HEAD, "scratch", "other values")) {
      groups.put(group, new ArrayList<>());
    }
    for (Plan.Row row : plan.peak()) {
      boolean head = row.name().startsWith(TrainPrograms.HEAD);
      String group = switch (row.kind()) {
        case FEED -> "feeds";
        case CARRY -> "carries";
        case BODY -> "body";
        case SCRATCH -> head ? HEAD : "scratch";
        case VALUE -> head ? HEAD : "other values";
      };
      Objects.requireNonNull(groups.get(group)).add(Part.leaf(row.name(), row.bytes()));
    }
    List<Part> parts = new ArrayList<>();
    groups.forEach((name, rows) -> parts.add(Part.sum(name, rows)));
    parts.add(Part.leaf("gaps", plan.gapBytes()));
    return Part.sum("arena", parts);
  }

  private static Part states(ModelLayout layout, List<Trainable> trainables, OptimizerType optimizer) {
    List<Part> gradients = new ArrayList<>();
    List<Part> moments = new ArrayList<>();
    for (Trainable trainable : trainables) {
      gradients.add(Part.leaf(trainable.state(), trainable.type().alignedBytes()));
      if (!optimizer.isPaged()) {
        moments.add(Part.leaf(trainable.state(), bytes(trainable.optimizerStates(optimizer).values())));
      }
    }
    List<Part> adapters = layout.adapterStates().entrySet().stream()
        .map(state -> Part.leaf(state.getKey(), state.getValue().alignedBytes())).toList();
    return Part.sum("states", List.of(weights(layout), Part.sum("adapters", adapters),
        Part.sum("gradients", gradients), Part.sum("optimizer states", moments)));
  }

  private static Part weights(ModelLayout layout) {
    Map<String, TensorType> outer = layout.outerStates();
    Map<String, TensorType> layers = layout.layerStates();
    List<Part> projections = Arrays.stream(Projection.values())
        .map(projection -> matrix(projection.title(), layout.states(projection), layers)).toList();
    List<Part> norms = List.of(leaf("input_layernorm", ModelLayout.INPUT_LAYERNORM, layers),
        leaf("post_attention_layernorm", ModelLayout.POST_ATTENTION_LAYERNORM, layers),
        leaf("norm", ModelLayout.NORM, outer));
    Part rope = Part.sum("rope", List.of(leaf("cos", ModelLayout.ROPE_COS, outer),
        leaf("sin", ModelLayout.ROPE_SIN, outer)));
    List<Part> parts = new ArrayList<>(List.of(Part.sum("projections", projections), Part.sum("norms", norms), rope));
    if (!layout.tableOnHost()) {
      parts.add(leaf(layout.headIsTable() ? "embedding and head" : "embedding", ModelLayout.EMBED_TOKENS, outer));
    }
    if (!layout.headIsTable()) {
      parts.add(matrix("head", layout.headStates(), outer));
    }
    return Part.sum("weights", parts);
  }

  /** A matrix: one state, or the codes and the scales of NF4. */
  private static Part matrix(String name, List<String> names, Map<String, TensorType> types) {
    if (names.size() == 1) {
      return leaf(name, names.getFirst(), types);
    }
    List<TensorType> scales = names.stream().skip(1).map(types::get).toList();
    return Part.sum(name, List.of(leaf("codes", names.getFirst(), types), Part.leaf("scales", bytes(scales))));
  }

  private static Part leaf(String name, String state, Map<String, TensorType> types) {
    return Part.leaf(name, bytes(List.of(types.get(state))));
  }

  private static long bytes(Collection<TensorType> types) {
    return types.stream().mapToLong(TensorType::alignedBytes).sum();
  }

  private static long hostTableBytes(ModelLayout layout) {
    return layout.tableOnHost()
        ? new TensorType(layout.tableDtype(), Shape.of(layout.config().vocabSize(),
            layout.config().hiddenSize())).bytes()
        : 0;
  }
}
