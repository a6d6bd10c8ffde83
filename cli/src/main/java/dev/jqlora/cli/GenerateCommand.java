package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.llama.generate.Generation;
import dev.jqlora.llama.generate.Generator;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.tokenizer.Tokenizer;
import dev.jqlora.training.data.Template;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Continues one text. */
@Command(name = "generate", description = "Continue a text, or answer one prompt.", footer = {"",
    "Prints the prompt and what follows it as it is written; with --template, the answer alone.",
    "", "Examples:",
    "  jqlora generate --model models/Llama-3.2-1B --prompt \"The heart has\" --temperature 0",
    "  jqlora generate --model models/Llama-3-8B --quantization-bit 4 --adapter output/stage2 \\",
    "      --template alpaca --prompt-file question.txt"})
final class GenerateCommand implements Runnable {
  @Mixin
  private ModelOptions model;

  @Option(names = {"-p",
      "--prompt"}, paramLabel = "TEXT", description = "The text to continue (default: the standard input).")
  private @Nullable String prompt;

  @Option(names = "--prompt-file", paramLabel = "FILE", description = "A UTF-8 file that holds it.")
  private @Nullable Path promptFile;

  @Mixin
  private TemplateOptions template;

  @Mixin
  private SamplingOptions sampling;

  @Mixin
  private Output output;

  @Override
  public void run() {
    Generator.Options wanted = new Generator.Options(sampling.sampling(), sampling.newTokens(), Set.of());
    String text = TextInput.read(prompt, promptFile, output.err());
    try (Backend backend = model.openBackend(); Tokenizer tokenizer = model.tokenizer()) {
      int[] ids = template.template().map(chosen -> chosen.encodePrompt(tokenizer, List.of(text), template.system(
          chosen))).orElseGet(() -> tokenizer.encodeWithBos(text));
      int newTokens = sampling.newTokens(ids.length, model.config().maxPositions());
      Set<Integer> stopIds = model.stopIds(tokenizer);
      template.template().map(chosen -> chosen.endId(tokenizer)).ifPresent(stopIds::add);
      try (LoadedModel loaded = model.load(backend, ids.length + newTokens)) {
        Generator generator = new Generator(loaded, ids.length + newTokens);
        TextStream stream = new TextStream(tokenizer, output.json() ? null : output.out());
        if (template.template().isEmpty()) {
          IntStream.of(ids).forEach(stream::token);
        }
        long start = System.nanoTime();
        Generation generation = generator.generate(ids, new Generator.Options(wanted.sampling(), newTokens, stopIds),
            stream);
        double seconds = (System.nanoTime() - start) / 1e9;
        String whole = stream.finish();
        output.print(json(ids, generation, whole, tokenizer, seconds), () -> output.out().println());
      }
    }
  }

  private ObjectNode json(int[] promptIds, Generation generation, String text, Tokenizer tokenizer, double seconds) {
    ObjectNode json = output.object().put("text", text);
    int[] newIds = generation.ids().stream().mapToInt(id -> id).toArray();
    json.put("completion", tokenizer.decode(newIds, true));
    json.put("end", generation.end().name().toLowerCase(Locale.ROOT));
    json.put("prompt_tokens", promptIds.length).put("new_tokens", newIds.length).put("seconds", seconds);
    IntStream.of(newIds).forEach(json.putArray("token_ids")::add);
    return json;
  }
}
