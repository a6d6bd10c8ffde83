package dev.jqlora.training.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.score.Perplexity;
import dev.jqlora.llama.score.Scorer;
import dev.jqlora.training.files.Json;
import java.nio.file.Path;
import java.util.List;

/**
 * The perplexity of documents. Each is read from its own beginning, with the beginning-of-text token before it; that
 * token itself is not scored.
 *
 * @param documents token ids
 * @param digest of the texts
 */
record TextWork(List<int[]> documents, Perplexity.Windows windows, String digest) {
  TextResult run(VariantRun run) {
    Path file = run.file("perplexity", new Digest().add(digest).add(windows.tokens()).add(windows.stride()).hex());
    try (ResultLog log = run.log(file, this::isLine)) {
      Perplexity total = Perplexity.NONE;
      for (ObjectNode line : log.earlier().subList(0, Math.min(log.earlier().size(), documents.size()))) {
        total = plus(total, line);
      }
      if (log.earlier().size() < documents.size()) {
        Scorer scorer = new Scorer(run.model().get(), Math.max(run.settings().batchTokens(), windows.tokens()));
        for (int i = log.earlier().size(); i < documents.size(); i++) {
          run.listener().progress(run.variant().name() + ": documents", i, documents.size());
          ObjectNode line = line(run.variant(), i, Perplexity.of(documents.get(i), windows, scorer, _ -> {
          }));
          log.append(line);
          total = plus(total, line);
        }
      }
      run.listener().finished("%s: perplexity %.4f".formatted(run.variant().name(), total.perplexity()));
      return new TextResult(total, file);
    }
  }

  private static Perplexity plus(Perplexity total, ObjectNode line) {
    return new Perplexity(total.tokens() + line.path("tokens").longValue(),
        total.totalNll() + line.path("nll").doubleValue());
  }

  private static ObjectNode line(Variant variant, int document, Perplexity perplexity) {
    return Json.MAPPER.createObjectNode().put("variant", variant.name()).put("document", document)
        .put("tokens", perplexity.tokens()).put("nll", perplexity.totalNll());
  }

  private boolean isLine(int index, ObjectNode line) {
    JsonNode nll = line.path("nll");
    return line.path("document").asInt(-1) == index && nll.isNumber() && Double.isFinite(nll.doubleValue())
        && (index >= documents.size() || line.path("tokens").asLong(-1) == documents.get(index).length - 1);
  }
}
