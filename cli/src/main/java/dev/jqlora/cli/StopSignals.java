package dev.jqlora.cli;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/** SIGINT and SIGTERM as a wish to stop soon; a second one stops at once, as it would have without this. */
final class StopSignals implements AutoCloseable {
  private static final List<String> NAMES = List.of("INT", "TERM");

  private final AtomicBoolean requested = new AtomicBoolean();
  private final Map<Signal, SignalHandler> earlier = new HashMap<>();

  private StopSignals() {}

  static StopSignals listen() {
    StopSignals signals = new StopSignals();
    for (String name : NAMES) {
      Signal signal = new Signal(name);
      signals.earlier.put(signal, Signal.handle(signal, signals::received));
    }
    return signals;
  }

  private void received(Signal signal) {
    if (!requested.compareAndSet(false, true)) {
      Runtime.getRuntime().halt(128 + signal.getNumber());
    }
  }

  boolean requested() {
    return requested.get();
  }

  @Override
  public void close() {
    earlier.forEach(Signal::handle);
  }
}
