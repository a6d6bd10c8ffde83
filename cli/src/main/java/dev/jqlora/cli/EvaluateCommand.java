package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.hub.HubModels;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.training.config.ModelArguments;
import dev.jqlora.training.data.Template;
import dev.jqlora.training.evaluate.Evaluation;
import dev.jqlora.training.evaluate.EvaluationJson;
import dev.jqlora.training.evaluate.EvaluationListener;
import dev.jqlora.training.evaluate.EvaluationReport;
import dev.jqlora.training.evaluate.EvaluationSettings;
import dev.jqlora.training.evaluate.EvaluationTable;
import dev.jqlora.training.evaluate.PromptForm;
import dev.jqlora.training.evaluate.Recipe;
import dev.jqlora.training.evaluate.Variant;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Compares a base model with its adapters. */
@Command(name = "evaluate", description = "Compare base and adapters: perplexity and MedQA accuracy.", footer = {"",
    "Without --model the recipe's configurations say what is compared: the model, the adapters in the",
    "stages' output_dir, quantization and template, and in dataset_dir the questions medqa_test.jsonl and",
    "the text textbooks_heldout.jsonl. Options win over them. Results are written as they come: the same",
    "command goes on after a stop. docs/evaluation.md says how everything is measured.",
    "", "Examples:",
    "  jqlora evaluate",
    "  jqlora evaluate --limit 100 --forms harness",
    "  jqlora evaluate --model models/Llama-3.2-1B --adapter mine=output/my-run --text book.txt"})
final class EvaluateCommand implements Runnable {
  private static final List<String> STAGES = List.of("configs/stage1_pretrain.yaml", "configs/stage2_sft.yaml");

  @Parameters(arity = "0..*", paramLabel = "FILE.yaml", description = "The stages' configurations (default: those of the recipe).")
  private List<Path> configurations = new ArrayList<>();

  @Option(names = {"-m",
      "--model"}, paramLabel = "DIR", description = "The base model: a folder in the Hugging Face layout, or a name on the hub.")
  private @Nullable String model;

  @Option(names = "--stage1", paramLabel = "DIR", description = "The adapter of stage 1.")
  private @Nullable Path stage1;

  @Option(names = "--stage2", paramLabel = "DIR", description = "The adapter of stage 2.")
  private @Nullable Path stage2;

  @Option(names = "--adapter", paramLabel = "NAME=DIR", description = "Another adapter to compare; may be given several times.")
  private Map<String, Path> adapters = new LinkedHashMap<>();

  @Mixin
  private QuantizationOptions quantization;

  @Option(names = "--questions", paramLabel = "FILE", description = "Questions: JSONL as MedQA has it, or as `jqlora preprocess` writes it.")
  private @Nullable Path questions;

  @Option(names = "--text", paramLabel = "FILE", description = "Held-out text: of a .jsonl file each row's \"text\" is a document, any other file is one. May be given several times.")
  private List<Path> texts = new ArrayList<>();

  @Option(names = "--forms", paramLabel = "NAME", split = ",", description = "How questions are put: harness, template or harness,template (default: both, or harness where no template is known).")
  private List<String> forms = new ArrayList<>();

  @Mixin
  private TemplateOptions template;

  @Option(names = "--limit", paramLabel = "N", description = "Only the first N questions and documents.")
  private @Nullable Integer limit;

  @Mixin
  private WindowOptions windows;

  @Option(names = "--batch-tokens", paramLabel = "N", description = "Tokens that go through the model at once (default: ${DEFAULT-VALUE}). Results do not depend on it.")
  private int batchTokens = EvaluationSettings.BATCH_TOKENS;

  @Option(names = {"-o",
      "--output"}, paramLabel = "DIR", description = "Folder of evaluation.json and the answers (default: ${DEFAULT-VALUE}).")
  private Path folder = Path.of("output/evaluation");

  @Option(names = "--overwrite", description = "Make results that are there anew.")
  private boolean overwrite;

  @Option(names = {"-q", "--quiet"}, description = "Say nothing but the result.")
  private boolean quiet;

  @Mixin
  private BackendOptions backend;

  @Mixin
  private Output output;

  @Override
  public void run() {
    Optional<Recipe> recipe = model == null || !configurations.isEmpty()
        ? Optional.of(Recipe.read(configurations()))
        : Optional.empty();
    try (Backend opened = backend.open(); StatusLine status = new StatusLine(output.err())) {
      var display = new Display(status);
      recipe.ifPresent(known -> known.notices().forEach(display::notice));
      EvaluationSettings settings = settings(recipe, status, display);
      EvaluationReport report = Evaluation.run(settings, opened, backend.memoryLimit(), display);
      status.close();
      output.print(EvaluationJson.of(report), () -> output.out().printf("%s%nWritten to %s%n",
          EvaluationTable.of(report), folder));
    }
  }

  private List<Path> configurations() {
    return configurations.isEmpty() ? STAGES.stream().map(TrainCommand::standard).toList() : configurations;
  }

  private EvaluationSettings settings(Optional<Recipe> recipe, StatusLine status, Display display) {
    return new EvaluationSettings(base(recipe, status), variants(recipe), questions(recipe),
        new EvaluationSettings.Text(texts(recipe, display), windows.windows()),
        limit == null ? OptionalInt.empty() : OptionalInt.of(limit), batchTokens, folder, overwrite);
  }

  private EvaluationSettings.Base base(Optional<Recipe> recipe, StatusLine status) {
    ModelArguments known = recipe.map(Recipe::model).orElse(null);
    Quantization quantized = quantization.or(known == null ? Quantization.NONE : known.quantization());
    if (model != null) {
      return new EvaluationSettings.Base(model, HubModels.resolve(model, null, null, null, status::download),
          quantized);
    }
    if (known == null) {
      throw new IllegalStateException("without --model there is a recipe");
    }
    Path resolved = HubModels.resolve(known.modelNameOrPath(), known.revision(), known.cacheDir(), known.hubToken(),
        status::download);
    return new EvaluationSettings.Base(known.modelNameOrPath(), resolved, quantized);
  }

  private List<Variant> variants(Optional<Recipe> recipe) {
    var variants = new ArrayList<>(List.of(Variant.BASE));
    if (stage1 != null) {
      variants.add(Variant.of("stage1", stage1));
    }
    if (stage2 != null) {
      variants.add(Variant.of("stage2", stage2));
    }
    adapters.forEach((name, adapter) -> variants.add(Variant.of(name, adapter)));
    return variants.size() == 1 && recipe.isPresent() ? recipe.get().variants() : variants;
  }

  private Optional<EvaluationSettings.Questions> questions(Optional<Recipe> recipe) {
    Path file = questions != null ? questions : recipe.map(Recipe::questions).orElse(null);
    if (file == null) {
      return Optional.empty();
    }
    if (questions == null && !Files.exists(file)) {
      throw new JqloraException(Kind.IO,
          "%s is not there; let jqlora preprocess write it, or give --questions".formatted(file));
    }
    Optional<Template> chosen = template.template().or(() -> recipe.map(Recipe::template));
    SequencedSet<PromptForm> asked = forms(chosen.isPresent());
    Template known = chosen.orElse(Template.EMPTY);
    return Optional.of(new EvaluationSettings.Questions(file, asked, known, system(known, recipe)));
  }

  private SequencedSet<PromptForm> forms(boolean templateKnown) {
    var asked = new LinkedHashSet<PromptForm>();
    forms.forEach(form -> asked.add(PromptForm.named(form)));
    if (asked.isEmpty()) {
      asked.add(PromptForm.HARNESS);
      if (templateKnown) {
        asked.add(PromptForm.TEMPLATE);
      }
    }
    if (asked.contains(PromptForm.TEMPLATE) && !templateKnown) {
      throw new JqloraException(Kind.USAGE, "--forms template needs a --template: the one the model was trained with");
    }
    return asked;
  }

  private String system(Template known, Optional<Recipe> recipe) {
    boolean given = template.template().isPresent();
    return !given && recipe.isPresent() ? recipe.get().system() : template.system(known);
  }

  private List<Path> texts(Optional<Recipe> recipe, Display display) {
    if (!texts.isEmpty() || recipe.isEmpty()) {
      return texts;
    }
    Path text = recipe.get().text();
    if (!Files.exists(text)) {
      display.notice(text + " is not there: no perplexity");
      return List.of();
    }
    return List.of(text);
  }

  /** Progress on a terminal; notices and results of parts as lines. */
  private final class Display implements EvaluationListener {
    private final StatusLine status;

    Display(StatusLine status) {
      this.status = status;
    }

    @Override
    public void notice(String line) {
      line("jqlora: note: " + line);
    }

    @Override
    public void progress(String what, long done, long total) {
      if (!quiet) {
        status.show("%s, %,d of %,d".formatted(what, done, total));
      }
    }

    @Override
    public void finished(String result) {
      line(result);
    }

    private void line(String text) {
      if (!quiet) {
        status.close();
        output.err().println(text);
        output.err().flush();
      }
    }
  }
}
