package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.generate.Generation;
import dev.jqlora.llama.generate.Generator;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.tokenizer.Tokenizer;
import dev.jqlora.training.data.Template;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A conversation, a line a turn. */
@Command(name = "chat", description = "Talk with a model, line by line.", footer = {"",
    "A line is a turn. \"clear\" forgets what was said, \"exit\" (or Ctrl-D) ends. Answers go to the",
    "standard output, everything else to the standard error, so lines may come from a file too.",
    "", "Example:",
    "  jqlora chat --model models/Llama-3.2-1B-Instruct --template llama3"})
final class ChatCommand implements Runnable {
  private static final int DEFAULT_CONTEXT = 4096;

  @Spec
  private CommandSpec command;

  @Mixin
  private ModelOptions model;

  @Mixin
  private TemplateOptions template;

  @Mixin
  private SamplingOptions sampling;

  @Option(names = "--context", paramLabel = "N", description = "Tokens of the conversation that the model sees (default: 4096, or the model's context if that is shorter).")
  private @Nullable Integer context;

  @Override
  public void run() {
    Template chosen = template.template().orElse(Template.EMPTY);
    Generator.Options options = new Generator.Options(sampling.sampling(), sampling.newTokens(), Set.of());
    try (Backend backend = model.openBackend(); Tokenizer tokenizer = model.tokenizer()) {
      int positions = positions(model.config().maxPositions());
      Set<Integer> stopIds = model.stopIds(tokenizer);
      if (template.template().isPresent()) {
        stopIds.add(chosen.endId(tokenizer));
      }
      try (LoadedModel loaded = model.load(backend, positions)) {
        new Conversation(tokenizer, chosen, new Generator(loaded, positions), positions, new Generator.Options(options
            .sampling(), options.maxNewTokens(), stopIds)).run();
      }
    }
  }

  private int positions(int longest) {
    int positions = context == null ? Math.min(DEFAULT_CONTEXT, longest) : context;
    if (positions < 2 || positions > longest) {
      throw new JqloraException(Kind.USAGE,
          "--context is %,d; expected 2 to the model's %,d tokens".formatted(positions,
              longest));
    }
    return positions;
  }

  private void say(String text) {
    command.commandLine().getErr().print(text);
    command.commandLine().getErr().flush();
  }

  private final class Conversation {
    private final Tokenizer tokenizer;
    private final Template chosen;
    private final Generator generator;
    private final int positions;
    private final Generator.Options options;
    /** What was said, the user first, then in turns. */
    private final List<String> turns = new ArrayList<>();

    Conversation(Tokenizer tokenizer, Template chosen, Generator generator, int positions,
        Generator.Options options) {
      this.tokenizer = tokenizer;
      this.chosen = chosen;
      this.generator = generator;
      this.positions = positions;
      this.options = options;
    }

    void run() {
      BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      while (true) {
        say("User: ");
        String line = next(lines);
        if (line == null || line.strip().equals("exit")) {
          say(line == null ? "%n".formatted() : "");
          return;
        }
        if (line.strip().equals("clear")) {
          turns.clear();
          say("History is forgotten.%n".formatted());
        } else if (!line.isBlank() && !answer(line)) {
          return;
        }
      }
    }

    private @Nullable String next(BufferedReader lines) {
      try {
        return lines.readLine();
      } catch (IOException e) {
        throw new JqloraException(Kind.IO, "cannot read the standard input: " + FileErrors.reason(e), e);
      }
    }

    /** Returns false where nobody reads the answers any more. */
    private boolean answer(String line) {
      int alone = encode(List.of(line)).length;
      if (alone >= positions) {
        say("That takes %,d tokens, but the conversation may have %,d: say it in fewer words.%n".formatted(alone,
            positions));
        return true;
      }
      turns.add(line);
      int[] ids = prompt();
      say("Assistant: ");
      TextStream stream = new TextStream(tokenizer, command.commandLine().getOut());
      int newTokens = Math.min(options.maxNewTokens(), positions - ids.length);
      Generation generation = generator.generate(ids, new Generator.Options(options.sampling(), newTokens, options
          .stopIds()), stream);
      turns.add(stream.finish());
      command.commandLine().getOut().println();
      command.commandLine().getOut().flush();
      return generation.end() != Generation.End.CANCELLED;
    }

    /** The conversation as tokens; the oldest turns go until half the context, or what is wanted, is free. */
    private int[] prompt() {
      int reserved = Math.min(options.maxNewTokens(), positions / 2);
      int[] ids = encode(turns);
      while (ids.length + reserved > positions && turns.size() > 1) {
        turns.subList(0, 2).clear();
        say("(The oldest turn is forgotten, since the context is full.)%n".formatted());
        ids = encode(turns);
      }
      return ids;
    }

    private int[] encode(List<String> said) {
      return chosen.encodePrompt(tokenizer, said, template.system(chosen));
    }
  }
}
