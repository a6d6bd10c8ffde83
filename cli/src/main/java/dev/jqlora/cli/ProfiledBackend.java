package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.io.PrintWriter;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** A backend all of whose sessions tell one profile, which is printed when it is closed. */
final class ProfiledBackend implements Backend {
  private final Profile profile = new Profile();
  private final Backend backend;
  private final PrintWriter err;

  ProfiledBackend(Backend backend, PrintWriter err) {
    this.backend = backend;
    this.err = err;
  }

  @Override
  public Session open(long memoryLimitBytes) {
    Session session = backend.open(memoryLimitBytes);
    session.profile(profile);
    return session;
  }

  @Override
  public void close() {
    backend.close();
    ProfileTable.print(profile, err::println);
    err.flush();
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
