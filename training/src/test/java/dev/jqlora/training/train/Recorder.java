package dev.jqlora.training.train;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.training.config.TrainingArguments;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Keeps what a run tells, and asks it to stop after a step. */
class Recorder implements TrainingListener {
  private final int stopAfter;
  final List<Double> losses = new ArrayList<>();
  final List<PagingCounts> moved = new ArrayList<>();
  final List<MemoryAdvice.Option> advised = new ArrayList<>();
  final List<String> notices = new ArrayList<>();
  int step;
  long deviceBytes;
  @Nullable
  MemoryPlan refused;

  /** Of a run to its end. */
  Recorder() {
    this(-1);
  }

  /** @param stopAfter the last step */
  Recorder(int stopAfter) {
    this.stopAfter = stopAfter;
  }

  /** Trains on a backend, which it closes. */
  Trainer.Result run(TrainingArguments arguments, Backend backend) {
    try (backend) {
      return Trainer.run(arguments, Path.of(arguments.model().modelNameOrPath()), backend, this);
    }
  }

  @Override
  public void notice(String line) {
    notices.add(line);
  }

  @Override
  public void started(Plan plan) {
    deviceBytes = plan.deviceBytes();
  }

  @Override
  public void stepped(Step report) {
    step = report.step();
    losses.add(report.loss());
  }

  @Override
  public void refused(MemoryPlan plan, List<MemoryAdvice.Option> advice) {
    refused = plan;
    advised.addAll(advice);
  }

  @Override
  public void paged(int step, PagingCounts counts) {
    moved.add(counts);
  }

  @Override
  public boolean stopRequested() {
    return step == stopAfter;
  }
}
