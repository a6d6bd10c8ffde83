package dev.jqlora.bench;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/** What rows are made ready with: a backend, and numbers to compute with. */
final class Workbench implements AutoCloseable {
  private final IntFunction<Backend> backends;
  private final Backend backend;
  private final RandomStates content;
  private final Map<Integer, Workbench> others = new HashMap<>();

  /** @param backends makes a backend of a number of threads */
  Workbench(int threads, IntFunction<Backend> backends) {
    this(threads, backends, new RandomStates());
  }

  private Workbench(int threads, IntFunction<Backend> backends, RandomStates content) {
    this.backends = backends;
    this.content = content;
    backend = backends.apply(threads);
  }

  /** One with another number of threads, closed with this. */
  Workbench onThreads(int threads) {
    return others.computeIfAbsent(threads, count -> new Workbench(count, backends, content));
  }

  Backend backend() {
    return backend;
  }

  /** What activations are stored as on this backend: as it rounds the factors of products. */
  DType activations() {
    return backend.products();
  }

  /** The type of activations on this backend. */
  TensorType stored(int... dims) {
    return new TensorType(activations(), Shape.of(dims));
  }

  RandomStates content() {
    return content;
  }

  /** A program with random states. */
  ProgramRun run(Program program, Map<String, Tensor> feeds, List<String> results) {
    return new ProgramRun(backend, program, content, feeds, results);
  }

  /** 0, 1, 2 and so on, below a bound, as I32 {@code [n]}. */
  static Tensor ids(int n, int bound) {
    int[] ids = new int[n];
    for (int i = 0; i < n; i++) {
      ids[i] = i % bound;
    }
    return Tensor.of(TensorType.i32(n), ids);
  }

  @Override
  public void close() {
    others.values().forEach(Workbench::close);
    backend.close();
  }
}
