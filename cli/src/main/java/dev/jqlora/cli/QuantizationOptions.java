package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.model.Quantization;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What of a model becomes NF4 while it is loaded. */
final class QuantizationOptions {
  @Option(names = "--quantization-bit", paramLabel = "4", description = "4 quantizes the linear layers to NF4 with double quantization while loading.")
  private @Nullable Integer bits;

  @Option(names = "--quantize-head", description = "Quantize the output head to NF4 too, as quantize_head does in training.")
  private boolean head;

  /** What is asked for by the options, or by a configuration. */
  Quantization or(Quantization configured) {
    if (bits != null && bits != 4) {
      throw new JqloraException(Kind.USAGE, "--quantization-bit is %d; expected 4 (NF4)".formatted(bits));
    }
    return new Quantization(bits != null || configured.projections(), head || configured.head(), configured.nested());
  }
}
