package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.config.ByteSize;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The options of every command that computes. */
final class BackendOptions {
  static final String PROFILE = "--profile";
  static final String PROFILE_HELP = "Print at the end what programs and kernels took, and what moved to the device and back.";

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(names = "--backend", paramLabel = "NAME", description = "What computes: cuda, tornado, cpu, reference, or auto, which takes a GPU where there is one that can be used, and else the CPU (default: auto).")
  private @Nullable String backend;

  @Option(names = "--threads", paramLabel = "N", description = "Threads of the CPU (default: all processors). Results do not depend on it.")
  private @Nullable Integer threads;

  @Option(names = "--device-memory", paramLabel = "SIZE", description = "The most memory the device may give, such as 8GB or 7.5GiB (default: no limit).")
  private @Nullable String deviceMemory;

  @Option(names = PROFILE, description = PROFILE_HELP)
  private boolean profile;

  static int allProcessors() {
    return Runtime.getRuntime().availableProcessors();
  }

  Backend open() {
    int count = threads == null ? allProcessors() : threads;
    if (count < 1) {
      throw new JqloraException(Kind.USAGE, "--threads is %d; expected at least 1".formatted(count));
    }
    return Backends.open(backend, count, profile, command.commandLine().getErr());
  }

  /** In bytes. */
  long memoryLimit() {
    return deviceMemory == null
        ? Long.MAX_VALUE
        : ByteSize.parse(deviceMemory).orElseThrow(() -> new JqloraException(Kind.USAGE,
            "--device-memory is %s; expected %s".formatted(deviceMemory, ByteSize.EXPECTED)));
  }
}
