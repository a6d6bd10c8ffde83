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

  @Option(names = "--threads", paramLabel = "N", description = "Threads of the CPU that compute (default: all processors; weights are quantized on all). Results do not depend on it.")
  private @Nullable Integer threads;

  @Option(names = "--device-memory", paramLabel = "SIZE", description = "The most memory the device may give, such as 8GB or 7.5GiB (default: no limit).")
  private @Nullable String deviceMemory;

  @Option(names = PROFILE, description = PROFILE_HELP)
  private boolean profile;

  /** As many threads as are asked for, or as there are processors. */
  static int threads(@Nullable Integer asked) {
    if (asked != null && asked < 1) {
      throw new JqloraException(Kind.USAGE, "--threads is %d; expected at least 1".formatted(asked));
    }
    return asked == null ? Runtime.getRuntime().availableProcessors() : asked;
  }

  /** Looks at all options first: what is wrong shows before a model is fetched. */
  Backend open() {
    memoryLimit();
    return Backends.open(backend, threads(threads), profile, command.commandLine().getErr());
  }

  /** In bytes. */
  long memoryLimit() {
    return deviceMemory == null
        ? Long.MAX_VALUE
        : ByteSize.parse(deviceMemory).orElseThrow(() -> new JqloraException(Kind.USAGE,
            "--device-memory is %s; expected %s".formatted(deviceMemory, ByteSize.EXPECTED)));
  }
}
