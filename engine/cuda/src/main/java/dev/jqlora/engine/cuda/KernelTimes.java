package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.graph.Op;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/** What the kernels of a run's ops take on the GPU, by an event before and one behind each op. Events are made once. */
final class KernelTimes implements AutoCloseable {
  private record Span(CUevent begin, CUevent end) {}

  private final CUstream stream;
  private final List<Span> spans = new ArrayList<>();
  private final List<Op> ops = new ArrayList<>();

  KernelTimes(CUstream stream) {
    this.stream = stream;
  }

  /** Begins a run; what a failed one left is forgotten. */
  void begin() {
    ops.clear();
  }

  /** @param launches puts the op's kernels into the stream */
  void time(Op op, Runnable launches) {
    if (ops.size() == spans.size()) {
      spans.add(new Span(Driver.event(), Driver.event()));
    }
    Span span = spans.get(ops.size());
    Driver.record(span.begin, stream);
    launches.run();
    Driver.record(span.end, stream);
    ops.add(op);
  }

  /** Tells of all ops of a run that the stream has done. */
  void tell(Profile.Run run) {
    for (int i = 0; i < ops.size(); i++) {
      run.kernel(ops.get(i), Driver.nanosecondsBetween(spans.get(i).begin, spans.get(i).end));
    }
  }

  @Override
  public void close() {
    for (Span span : spans) {
      Driver.destroy(span.begin);
      Driver.destroy(span.end);
    }
    spans.clear();
  }
}
