package dev.jqlora.engine.tornado;

import dev.jqlora.engine.backend.AccountedSession;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.DataRange;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.TornadoExecutionResult;
import uk.ac.manchester.tornado.api.TornadoProfilerResult;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.exceptions.TornadoInternalError;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * States and programs in one execution plan of TornadoVM, since two plans cannot share what is on the device. The plan is
 * made when a program first runs. A program that is compiled later joins it if its arena fits and all states are there;
 * otherwise the states come back to the host and go out again with a new plan.
 */
final class TornadoSession extends AccountedSession {
  private final TornadoKernels kernels;
  private final DeviceMemory memory;
  private final TornadoPages pages;
  /** States that have no home on the device yet, with what was written to them. */
  private final Map<String, TensorType> homeless = new LinkedHashMap<>();
  private final Map<String, MemorySegment> contents = new HashMap<>();
  private final List<TornadoExecutable> programs = new ArrayList<>();
  private Arena pending = Arena.ofShared();
  private @Nullable Residents residents;

  TornadoSession(TornadoBackend backend, TornadoKernels kernels, long limit, long mostBytes) {
    super(backend, new SessionAccount(limit, backend));
    this.kernels = kernels;
    memory = new DeviceMemory(mostBytes);
    pages = new TornadoPages(account(), memory, new TornadoPages.Device() {
      @Override
      public void write(DeviceMemory.Home home, long offset, MemorySegment bytes) {
        Objects.requireNonNull(residents).write(home, offset, bytes);
      }

      @Override
      public void read(DeviceMemory.Home home, long offset, MemorySegment target) {
        Objects.requireNonNull(residents).read(home, offset, target);
      }
    });
  }

  @Override
  protected void make(String state, TensorType type) {
    pages.fit();
    homeless.put(state, type);
  }

  @Override
  public void allocatePaged(String state, TensorType type, int pageCount) {
    allocatePaged(state, type, pageCount, () -> {
      pages.fit();
      pages.add(state, type, pageCount);
    });
  }

  @Override
  protected void copyIn(String state, long offset, MemorySegment bytes) {
    if (pages.contains(state)) {
      residents();
      pages.write(state, offset, bytes);
    } else if (homeless.containsKey(state)) {
      MemorySegment.copy(bytes, 0, content(state), offset, bytes.byteSize());
    } else {
      Objects.requireNonNull(residents).write(memory.home(state), offset, bytes);
    }
  }

  private MemorySegment content(String state) {
    return contents.computeIfAbsent(state, _ -> pending.allocate(type(state).bytes(), Alignment.BYTES));
  }

  @Override
  protected void copyOut(String state, long offset, MemorySegment target) {
    if (pages.contains(state)) {
      residents();
      pages.read(state, offset, target);
    } else if (homeless.containsKey(state)) {
      MemorySegment.copy(content(state), offset, target, 0, target.byteSize());
    } else {
      Objects.requireNonNull(residents).read(memory.home(state), offset, target);
    }
  }

  @Override
  public PagingCounts paging() {
    return pages.counts();
  }

  @Override
  protected Executable executable(Plan plan, boolean larger) {
    pages.fit();
    TornadoExecutable executable = new TornadoExecutable(plan);
    memory.reserve(executable.arena.bytes());
    programs.add(executable);
    return executable;
  }

  /** The device's plan with all programs compiled so far, and all states in their places. */
  private Residents residents() {
    Residents there = residents;
    memory.setPools(account().pools());
    if (there == null || !homeless.isEmpty() || !memory.isSettled()) {
      if (there != null) {
        there.close();
      }
      settle();
      programs.forEach(program -> program.graphs = null);
      there = new Residents();
      residents = there;
    }
    there.join();
    return there;
  }

  private void settle() {
    homeless.forEach(memory::add);
    memory.settle();
    contents.forEach((state, content) -> memory.home(state).bytes().copyFrom(content));
    homeless.clear();
    contents.clear();
    pending.close();
    pending = Arena.ofShared();
  }

  /** Kernels of the programs on the device: each is compiled when its graph first runs. */
  int kernels() {
    return residents == null ? 0 : residents.graphs.kernels();
  }

  /** Bytes of the arrays that TornadoVM has been given, with their headers, and of what it sends with tasks. */
  long heldBytes() {
    return Objects.requireNonNull(residents).heldBytes();
  }

  @Override
  public void close() {
    if (residents != null) {
      residents.release();
    }
    pages.close();
    pending.close();
  }

  /** What is on the device. */
  private final class Residents {
    private final Object[] arrays = memory.resident();
    private final Graphs graphs = new Graphs();
    private final int upload = Residence.upload(graphs, arrays);
    private final int link = Residence.link(graphs, arrays);
    private final IdentityHashMap<TornadoNativeArray, Residence.Staging> stagings = new IdentityHashMap<>();
    private final List<TornadoExecutionPlan> plans = new ArrayList<>();
    private TornadoExecutionPlan plan;
    private TornadoExecutionResult last;

    Residents() {
      memory.arrays()
          .forEach(array -> stagings.put(array, Residence.staging(graphs, array, Residence.stage(array), arrays)));
      write();
      plan = graphs.plan();
      plans.add(plan);
      last = result(plan.withGraph(upload));
    }

    /** Writes the graphs of programs that have none; returns whether there were any. */
    private boolean write() {
      boolean any = false;
      for (TornadoExecutable program : programs) {
        if (program.graphs == null) {
          program.graphs = new DeviceProgram(program.plan(), program.arena, memory, graphs, kernels);
          any = true;
        }
      }
      return any;
    }

    /** Takes in programs that were compiled since. */
    void join() {
      if (write()) {
        plan = graphs.plan();
        plans.add(plan);
        execute(link);
      }
    }

    long heldBytes() {
      return graphs.bytes() + Arrays.stream(arrays)
          .mapToLong(array -> ((TornadoNativeArray) array).getNumBytesOfSegmentWithHeader()).sum();
    }

    private static TornadoExecutionResult result(TornadoExecutionPlan graph) {
      try {
        return graph.execute();
      } catch (RuntimeException e) {
        throw Failure.of("run a task graph", e);
      }
    }

    void execute(int graph) {
      Profile.Run run = profiledRun();
      if (run == null) {
        last = result(plan.withGraph(graph));
        return;
      }
      last = result(plan.withGraph(graph).withProfiler(ProfilerMode.SILENT));
      TornadoProfilerResult counts = last.getProfilerResult();
      run.kernels(graphs.kernels(graph), counts.getDeviceKernelTime());
      run.compiled(counts.getTornadoCompilerTime(), counts.getDriverInstallTime());
      run.moved(counts.getTotalBytesCopyIn(), counts.getTotalBytesCopyOut());
    }

    void write(DeviceMemory.Home home, long offset, MemorySegment bytes) {
      Residence.Staging staging = Objects.requireNonNull(stagings.get(home.array()));
      int width = home.type().dtype().bytes();
      for (long done = 0; done < bytes.byteSize();) {
        long count = Math.min(bytes.byteSize() - done, (long) Residence.STAGED * width);
        if ((offset + done) % width != 0 || count % width != 0) {
          throw new IllegalArgumentException("a part of an element is written to " + home.type());
        }
        MemorySegment.copy(bytes, done, staging.stage().getSegment(), 0, count);
        staging.range().set(0, Math.toIntExact(home.first() + (offset + done) / width));
        staging.range().set(1, Math.toIntExact(count / width));
        execute(staging.graph());
        done += count;
      }
    }

    void read(DeviceMemory.Home home, long offset, MemorySegment target) {
      if (target.byteSize() == 0) {
        return;
      }
      int width = home.type().dtype().bytes();
      long first = home.first() + offset / width;
      long end = home.first() + (offset + target.byteSize() + width - 1) / width;
      last.transferToHost(new DataRange(home.array()).withOffset(first).withSize(end - first));
      target.copyFrom(home.bytes().asSlice(offset, target.byteSize()));
    }

    /** Brings all states to the host and releases the device. */
    void close() {
      stagings.keySet().forEach(last::transferToHost);
      release();
    }

    /** Frees the device. */
    void release() {
      for (int graph = 0; graph < graphs.size(); graph++) {
        plan.withGraph(graph);
        try {
          plan.close();
        } catch (TornadoInternalError _) {
          // 5.2.0 frees a shared array once for each graph that shares it, and complains the second time; by then it has
          // freed what the graph has for itself.
        } catch (TornadoExecutionPlanException e) {
          throw new IllegalStateException(e);
        }
      }
    }
  }

  private final class TornadoExecutable extends PlannedExecutable {
    private final ArenaMap arena;
    private @Nullable DeviceProgram graphs;

    TornadoExecutable(Plan plan) {
      super(plan);
      arena = new ArenaMap(plan);
    }

    /** TornadoVM counts what moves, headers and pages among it. */
    @Override
    protected void moved(Profile.Run ended, Map<String, Tensor> feeds, Map<String, Tensor> fetches,
        PagingCounts paged) {}

    @Override
    protected Map<String, Tensor> execute(Map<String, Tensor> feeds) {
      Residents there = residents();
      return Objects.requireNonNull(graphs).run(feeds, pages, there::execute);
    }
  }
}
