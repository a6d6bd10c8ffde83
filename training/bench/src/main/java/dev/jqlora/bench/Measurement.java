package dev.jqlora.bench;

import dev.jqlora.engine.cpu.CpuRoof;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Times one row: what is measured, what it is compared with, and the roof, all in turn. */
final class Measurement {
  private final Row row;
  private final Setup setup;
  private final List<Runnable> contenders = new ArrayList<>();

  Measurement(Row row, Setup setup) {
    this.row = row;
    this.setup = setup;
    contenders.add(setup.subject()::run);
  }

  /**
   * A peer that is ready for the row's task.
   *
   * @param difference how far its results are from ours
   */
  record Opponent(String name, Contender contender, double difference) {}

  RowResult run(Effort effort, Ceiling ceiling, @Nullable Opponent opponent) {
    for (Setup.Rival rival : setup.rivals()) {
      rival.parts().forEach(part -> contenders.add(part.contender()::run));
    }
    if (opponent != null) {
      contenders.add(opponent.contender()::run);
    }
    double[] roofWork = new double[1];
    if (ceiling instanceof Ceiling.Measured(CpuRoof roof)) {
      switch (row.roof()) {
        case MULTIPLY_ADD -> contenders.add(() -> roofWork[0] = roof.multiplyAdds());
        case READ -> contenders.add(() -> roofWork[0] = roof.read());
        case NONE -> {
        }
      }
    }
    List<Times> times = new Stopwatch(effort).measure(contenders);

    List<RowResult.Rival> rivals = new ArrayList<>();
    Map<String, Double> seconds = new LinkedHashMap<>();
    int next = 1;
    for (Setup.Rival rival : setup.rivals()) {
      List<Times> parts = times.subList(next, next += rival.parts().size());
      RowResult.Rival result = sum(rival, parts);
      rivals.add(result);
      seconds.put(rival.name(), result.seconds());
    }
    if (opponent != null) {
      Times its = times.get(next);
      rivals.add(new RowResult.Rival(opponent.name(), its.seconds(), its.spread(), opponent.difference()));
      seconds.put(Goal.PEER, its.seconds());
    }
    Times own = times.getFirst();
    double roofRate = ceiling instanceof Ceiling.Stated stated
        ? stated.rate(row.roof())
        : row.roof() == Roof.NONE ? 0 : roofWork[0] / times.getLast().seconds();
    double share = roofRate == 0 ? 0 : row.roof().work(setup.cost()) / own.seconds() / roofRate;
    Goal.Outcome outcome = new Goal.Outcome(own.seconds(), setup.cost(), share, seconds);
    return new RowResult(row.name(), own, setup.cost().flops(), setup.cost().bytes(), row.roof(), roofRate, share,
        rivals, row.goals().stream().map(goal -> goal.verdict(outcome)).toList());
  }

  private static RowResult.Rival sum(Setup.Rival rival, List<Times> times) {
    double seconds = 0;
    double spread = 0;
    for (int i = 0; i < times.size(); i++) {
      seconds += rival.parts().get(i).times() * times.get(i).seconds();
      spread = Math.max(spread, times.get(i).spread());
    }
    return new RowResult.Rival(rival.name(), seconds, spread, null);
  }
}
