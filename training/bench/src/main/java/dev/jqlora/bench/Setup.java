package dev.jqlora.bench;

import dev.jqlora.engine.graph.Cost;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A row made ready to be timed: what is measured, and what it is compared with. */
final class Setup implements AutoCloseable {
  private final Contender subject;
  private final Cost cost;
  private final List<Rival> rivals = new ArrayList<>();
  private final List<AutoCloseable> resources = new ArrayList<>();
  private @Nullable Comparison comparison;

  /** A rival's time is that of its parts, each as often as it says. */
  record Rival(String name, List<Part> parts) {}

  /** A part of a rival's work. */
  record Part(Contender contender, double times) {}

  /** What a peer is given to do the same. */
  record Comparison(Task task, Peer.Inputs inputs) {}

  /** @param cost of a run of the subject */
  Setup(Contender subject, Cost cost) {
    this.subject = subject;
    this.cost = cost;
    resources.add(subject);
  }

  static Setup of(ProgramRun subject) {
    return new Setup(subject, subject.cost());
  }

  Setup comparedWith(Task task, Peer.Inputs inputs) {
    comparison = new Comparison(task, inputs);
    return this;
  }

  Setup rival(String name, Part... parts) {
    rivals.add(new Rival(name, List.of(parts)));
    for (Part part : parts) {
      owning(part.contender());
    }
    return this;
  }

  /** Closes something with this, before what it was given earlier. */
  Setup owning(AutoCloseable resource) {
    resources.add(resource);
    return this;
  }

  Contender subject() {
    return subject;
  }

  Cost cost() {
    return cost;
  }

  List<Rival> rivals() {
    return List.copyOf(rivals);
  }

  @Nullable
  Comparison comparison() {
    return comparison;
  }

  /** Closes all, whatever of it fails; the first failure is thrown, with the others along. */
  @Override
  public void close() {
    RuntimeException failure = null;
    for (AutoCloseable resource : resources.reversed()) {
      try {
        resource.close();
      } catch (Exception e) {
        RuntimeException thrown = e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
        if (failure == null) {
          failure = thrown;
        } else {
          failure.addSuppressed(thrown);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
