package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.hub.HubModels;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows how a text is cut into tokens. */
@Command(name = "tokenize", description = "Show the tokens of a text: ids, pieces and their number.", footer = {"",
    "Example:", "  jqlora tokenize --model models/Llama-3.2-1B \"How many tokens is this?\""})
final class TokenizeCommand implements Runnable {
  @Option(names = {"-m",
      "--model"}, paramLabel = "DIR|NAME", required = true, description = "The folder of a model or of a tokenizer alone, or the name of a model that was fetched.")
  private String model;

  @Parameters(arity = "0..1", paramLabel = "TEXT", description = "The text (default: the standard input).")
  private @Nullable String text;

  @Option(names = {"-f", "--file"}, paramLabel = "FILE", description = "A UTF-8 file that holds it.")
  private @Nullable Path file;

  @Option(names = "--no-bos", description = "Without the beginning-of-text token before it.")
  private boolean withoutBos;

  @Mixin
  private Output output;

  @Override
  public void run() {
    try (HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer
        .open(HubModels.local(model, null, null).orElse(Path.of(model)))) {
      String input = TextInput.read(text, file, output.err());
      int[] ids = withoutBos ? tokenizer.encode(input) : tokenizer.encodeWithBos(input);
      ObjectNode json = output.object().put("count", ids.length);
      IntStream.of(ids).forEach(json.putArray("ids")::add);
      IntStream.of(ids).mapToObj(tokenizer::token).forEach(json.putArray("pieces")::add);
      output.print(json, () -> {
        output.out().println("count   " + ids.length);
        output.out().println("ids     " + IntStream.of(ids).mapToObj(String::valueOf).collect(Collectors.joining(" ")));
        output.out().println("pieces  " + IntStream.of(ids).mapToObj(id -> FileErrors.quoted(tokenizer.token(id)))
            .collect(Collectors.joining(" ")));
      });
    }
  }
}
