package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.hub.HubModels;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.training.config.TrainingArguments;
import dev.jqlora.training.train.MemoryAdvice;
import dev.jqlora.training.train.MemoryPlan;
import dev.jqlora.training.train.MemoryPlanner;
import dev.jqlora.training.train.RunShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says what device memory a run takes, before anything is fetched or read. */
@Command(name = "plan", description = "Show the device memory of a run to the byte, before any weight is read.", footer = {
    "", "The model may be a folder, a config.json, a model that was fetched from the hub, or the name of a",
    "published one (llama-3-8b, llama-3-70b, llama-3.1-8b, llama-3.2-1b, llama-3.2-3b); without --model it",
    "is the configuration's.",
    "No dataset is read: all sequences count as cutoff_len tokens long, the longest there may be.",
    "Training plans anew with the lengths of its data, so it never takes more.", "", "Examples:",
    "  jqlora plan configs/stage1_pretrain.yaml --device-memory 8GiB",
    "  jqlora plan configs/stage1_pretrain.yaml --model llama-3-8b cutoff_len=4096 --json"})
final class PlanCommand implements Runnable {
  @Parameters(arity = "1..*", paramLabel = "FILE.yaml [key=value ...]", description = "A training configuration, and keys that win over it.")
  private List<String> words = new ArrayList<>();

  @Option(names = {"-m",
      "--model"}, paramLabel = "DIR|NAME", description = "The model, in the place of the configuration's.")
  private @Nullable String model;

  @Option(names = "--device-memory", paramLabel = "SIZE", description = "The limit to hold it against, such as 8GiB.")
  private @Nullable String deviceMemory;

  @Option(names = "--tokens", paramLabel = "N", description = "Tokens of a batch, as one sequence, in the place of cutoff_len times the batch sizes.")
  private @Nullable Integer tokens;

  @Mixin
  private Output output;

  private CommandSpec spec = CommandSpec.create();

  /** A key may be written as an option, as in training. */
  @Spec
  void spec(CommandSpec command) {
    spec = command;
    command.parser().unmatchedOptionsArePositionalParams(true);
  }

  @Override
  public void run() {
    TrainingArguments arguments = arguments();
    if (tokens != null && tokens < 1) {
      throw new JqloraException(Kind.USAGE, "--tokens is %d; expected at least 1".formatted(tokens));
    }
    try (Backend backend = Backends.open(arguments.engine(), false, output.err())) {
      RunShape run = shape(arguments, backend.products());
      MemoryPlanner planner = new MemoryPlanner(backend);
      Long limit = arguments.engine().deviceMemoryBytes();
      MemoryPlan plan = planner.plan(run, limit == null ? Long.MAX_VALUE : limit);
      List<MemoryAdvice.Option> advice = plan.fits()
          ? List.of()
          : MemoryAdvice.of(planner, run, plan.limitBytes());
      print(arguments, backend, run, new MemoryTable(plan, advice));
    }
  }

  private TrainingArguments arguments() {
    boolean named = TrainCommand.isFile(words.getFirst());
    List<String> overrides = new ArrayList<>(named ? words.subList(1, words.size()) : words);
    if (model != null) {
      overrides.add("model_name_or_path=" + model);
    }
    if (deviceMemory != null) {
      overrides.add("device_memory=" + deviceMemory);
    }
    return TrainingArguments.read(named ? Path.of(words.getFirst()) : null, overrides,
        "1".equals(System.getenv("ALLOW_EXTRA_ARGS")));
  }

  private void print(TrainingArguments arguments, Backend backend, RunShape run, MemoryTable table) {
    String title = "%s, %s, on %s".formatted(arguments.model().modelNameOrPath(), run, backend.name());
    output.print(table.json().put("model", arguments.model().modelNameOrPath()).put("run", run.toString())
        .put("backend", backend.name()), () -> {
          output.out().println(title);
          output.out().println();
          table.print(output.out()::println);
        });
  }

  private RunShape shape(TrainingArguments arguments, DType products) {
    Optional<AdapterConfig> adapter = adapter(arguments);
    OptionalInt length = tokens == null ? OptionalInt.empty() : OptionalInt.of(tokens);
    String name = arguments.model().modelNameOrPath();
    Optional<Path> folder = HubModels.local(name, arguments.model().revision(), arguments.model().cacheDir())
        .filter(PlanCommand::isCheckpoint);
    if (folder.isPresent()) {
      try (Checkpoint checkpoint = Checkpoint.open(folder.get())) {
        return RunShape.of(arguments, LlamaConfig.read(folder.get()), Optional.of(checkpoint), adapter, length,
            products);
      }
    }
    return RunShape.of(arguments, config(name), Optional.empty(), adapter, length, products);
  }

  private Optional<AdapterConfig> adapter(TrainingArguments arguments) {
    Path folder = arguments.model().adapter();
    if (folder == null || Files.exists(folder.resolve(AdapterConfig.FILE))) {
      return Optional.ofNullable(folder).map(AdapterConfig::read);
    }
    output.err().println(String.format(Locale.ROOT,
        "jqlora: note: there is no adapter in %s yet: planned with lora_rank %d, which may be given as lora_rank=16",
        folder, arguments.finetuning().loraRank()));
    output.err().flush();
    return Optional.empty();
  }

  private static boolean isCheckpoint(Path folder) {
    return Files.exists(folder.resolve(Checkpoint.SINGLE_FILE)) || Files.exists(folder.resolve(Checkpoint.INDEX_FILE));
  }

  private static LlamaConfig config(String name) {
    Path path = Path.of(name);
    if (Files.isRegularFile(path)) {
      return LlamaConfig.of(JsonObject.read(path));
    }
    if (Files.exists(path.resolve(LlamaConfig.FILE))) {
      return LlamaConfig.read(path);
    }
    return KnownConfigs.published(name).orElseThrow(() -> new JqloraException(Kind.MODEL,
        "%s is no folder, no config.json and none of %s; give --model".formatted(FileErrors.quoted(name),
            String.join(", ", KnownConfigs.all().keySet()))));
  }
}
