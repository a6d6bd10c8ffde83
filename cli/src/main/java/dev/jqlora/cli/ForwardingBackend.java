package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** Another backend, all of it, for those who change a part. */
abstract class ForwardingBackend implements Backend {
  private final Backend backend;

  ForwardingBackend(Backend backend) {
    this.backend = backend;
  }

  @Override
  public Session open(long memoryLimitBytes) {
    return backend.open(memoryLimitBytes);
  }

  @Override
  public void close() {
    backend.close();
  }

  @Override
  public String name() {
    return backend.name();
  }

  @Override
  public String device() {
    return backend.device();
  }

  @Override
  public long overheadBytes() {
    return backend.overheadBytes();
  }

  @Override
  public DType products() {
    return backend.products();
  }

  @Override
  public Optional<GpuInfo> gpu() {
    return backend.gpu();
  }

  @Override
  public long availableBytes() {
    return backend.availableBytes();
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return backend.supports(op, inputs, outputs);
  }

  @Override
  public PageTable pageTable() {
    return backend.pageTable();
  }

  @Override
  public long residentBytes(Collection<TensorType> states, PageTable pages, Collection<Plan> plans) {
    return backend.residentBytes(states, pages, plans);
  }

  @Override
  public long programBytes(Plan plan, PageTable pages) {
    return backend.programBytes(plan, pages);
  }
}
