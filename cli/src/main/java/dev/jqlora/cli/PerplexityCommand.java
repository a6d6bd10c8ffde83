package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.score.Perplexity;
import dev.jqlora.llama.score.Scorer;
import dev.jqlora.llama.tokenizer.Tokenizer;
import dev.jqlora.training.evaluate.TextWindows;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Scores a text. */
@Command(name = "perplexity", description = "Say how well a model predicts a text.", footer = {"",
    "perplexity = exp(mean negative log-likelihood of all tokens but the first). A text longer than",
    "the window is cut into windows that overlap; each token is scored once, by the first window",
    "that holds it. A line break at the very end of the file does not count.",
    "", "Example:",
    "  jqlora perplexity --model models/Llama-3.2-1B --file book.txt --json"})
final class PerplexityCommand implements Runnable {
  /** Enough for products of matrices to run at full speed. */
  private static final int TOKENS_PER_RUN = 1024;

  @Mixin
  private ModelOptions model;

  @Option(names = {"-f",
      "--file"}, paramLabel = "FILE", description = "The text, a UTF-8 file (default: the standard input).")
  private @Nullable Path file;

  @Mixin
  private WindowOptions windowOptions;

  @Mixin
  private Output output;

  @Override
  public void run() {
    TextWindows asked = windowOptions.windows();
    String text = TextInput.read(null, file, output.err());
    try (Backend backend = model.openBackend()) {
      measure(text, asked.within(model.config().maxPositions()), backend);
    }
  }

  private void measure(String text, Perplexity.Windows windows, Backend backend) {
    int[] ids;
    try (Tokenizer tokenizer = model.tokenizer()) {
      ids = tokenizer.encodeWithBos(text);
    }
    try (LoadedModel loaded = model.load(backend, windows.tokens());
        StatusLine status = new StatusLine(output.err())) {
      Scorer scorer = new Scorer(loaded, Math.max(TOKENS_PER_RUN, windows.tokens()));
      Perplexity perplexity = Perplexity.of(ids, windows, scorer, tokens -> status.show(
          "scoring: %,d of %,d tokens".formatted(tokens, ids.length - 1)));
      report(perplexity, windows);
    }
  }

  private void report(Perplexity perplexity, Perplexity.Windows windows) {
    ObjectNode json = output.object().put("tokens", perplexity.tokens()).put("mean_nll", perplexity.meanNll()).put(
        "perplexity", perplexity.perplexity()).put("window", windows.tokens()).put("stride", windows.stride());
    output.print(json, () -> output.out().printf(Locale.ROOT,
        "perplexity  %.4f%nmean nll    %.6f per token%ntokens      %d (window %d, stride %d)%n", perplexity
            .perplexity(),
        perplexity.meanNll(), perplexity.tokens(), windows.tokens(), windows.stride()));
  }
}
