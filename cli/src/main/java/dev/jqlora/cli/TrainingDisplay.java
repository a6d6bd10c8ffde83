package dev.jqlora.cli;

import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.training.train.MemoryAdvice;
import dev.jqlora.training.train.MemoryPlan;
import dev.jqlora.training.train.TrainingListener;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Shows a run: a progress bar on a terminal, plain lines elsewhere or where quiet is asked for. */
final class TrainingDisplay implements TrainingListener, AutoCloseable {
  private static final int BAR_WIDTH = 110;
  /** At most one plain line in this time, the first and last steps aside. */
  private static final long LINE_INTERVAL_NANOS = 2_000_000_000L;

  private final PrintWriter err;
  private final boolean bars;
  private final StopSignals stop;
  private @Nullable ProgressBar bar;
  private long begin = System.nanoTime();
  private int startStep;
  private long lastLine;
  private boolean stopSaid;

  TrainingDisplay(PrintWriter err, boolean quiet, StopSignals stop) {
    this.err = err;
    this.bars = !quiet && StatusLine.isTerminal();
    this.stop = stop;
  }

  private void line(String text) {
    if (bars) {
      err.print("\r\u001b[K");
    }
    err.println(text);
    err.flush();
  }

  @Override
  public void notice(String text) {
    line("note: " + text);
  }

  @Override
  public void phase(String what) {
    line(what);
  }

  @Override
  public void refused(MemoryPlan plan, List<MemoryAdvice.Option> advice) {
    new MemoryTable(plan, advice).print(this::line);
  }

  @Override
  public void started(Plan plan) {
    line("%,d examples, %d steps of %d sequences, %,d of %,d parameters trained, %,d MB on the device".formatted(
        plan.examples(), plan.totalSteps(), plan.sequencesPerStep(), plan.trainableParameters(), plan.allParameters(),
        plan.deviceBytes() / 1_000_000));
    begin = System.nanoTime();
    startStep = plan.startStep();
    if (bars && plan.totalSteps() > 0) {
      bar = new ProgressBarBuilder().setTaskName("train").setInitialMax(plan.totalSteps())
          .startsFrom(startStep, Duration.ZERO).setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200)
          .setConsumer(new DelegatingProgressBarConsumer(text -> {
            err.print("\r" + text);
            err.flush();
          }, BAR_WIDTH)).build();
    }
  }

  @Override
  public void stepped(Step step) {
    String figures = "loss %.4f, rate %.2e, norm %.3f, %,.0f tokens/s".formatted(step.loss(), step.learningRate(),
        step.gradientNorm(), step.tokensPerSecond());
    if (bar != null) {
      bar.setExtraMessage(" " + figures);
      bar.stepTo(step.step());
    } else if (step.step() == startStep + 1 || step.step() == step.totalSteps()
        || System.nanoTime() - lastLine > LINE_INTERVAL_NANOS) {
      lastLine = System.nanoTime();
      line("step %d/%d, epoch %.2f, %s, %s left".formatted(step.step(), step.totalSteps(), step.epoch(), figures,
          left(step)));
    }
    if (stop.requested() && !stopSaid) {
      stopSaid = true;
      line("stopping after this step");
    }
  }

  private String left(Step step) {
    long done = Math.max(1, step.step() - startStep);
    long seconds = (System.nanoTime() - begin) / done * (step.totalSteps() - step.step()) / 1_000_000_000L;
    return "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60);
  }

  @Override
  public void paged(int step, PagingCounts moved) {
    line("step %d: %s".formatted(step, moved));
  }

  @Override
  public void evaluated(int step, String name, double loss) {
    line("step %d: %s loss %.4f".formatted(step, name, loss));
  }

  @Override
  public void saved(Path folder) {
    line("saved " + folder);
  }

  @Override
  public boolean stopRequested() {
    return stop.requested();
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
      err.println();
    }
  }
}
