package dev.jqlora.training.evaluate;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.score.Perplexity;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Compares a base model and its adapters. Results are written as they come; a run with the same settings goes on where
 * an earlier one was stopped.
 */
public final class Evaluation {
  /** The file of the whole report in the output folder. */
  public static final String FILE = "evaluation.json";

  private final EvaluationSettings settings;
  private final EvaluationListener listener;
  private final LlamaConfig config;
  private final Optional<MedqaQuestions> questions;
  private final List<QuestionWork> questionWork;
  private final Optional<TextWork> textWork;
  private final boolean harnessBos;

  /**
   * Evaluates, and writes {@value #FILE}.
   *
   * @param memoryLimitBytes the most device memory that weights and programs may take together
   * @throws JqloraException where a file cannot be used, the model does not fit, or a likelihood is not finite
   */
  public static EvaluationReport run(EvaluationSettings settings, Backend backend, long memoryLimitBytes,
      EvaluationListener listener) {
    EvaluationReport report = new Evaluation(settings, listener).run(backend, memoryLimitBytes);
    AtomicFile.write(settings.output().resolve(FILE), JsonObject.pretty(EvaluationJson.of(report)));
    return report;
  }

  /** Reads everything but weights, so that a mistake shows before hours are spent. */
  private Evaluation(EvaluationSettings settings, EvaluationListener listener) {
    this.settings = settings;
    this.listener = listener;
    Path folder = settings.base().folder();
    config = LlamaConfig.read(folder);
    for (Variant variant : settings.variants()) {
      variant.adapter().map(adapter -> AdapterFiles.check(adapter, config))
          .flatMap(adapter -> adapter.baseMismatch(settings.base().name()))
          .ifPresent(notice -> listener.notice(variant.name() + ": " + notice));
    }
    try (HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.open(folder)) {
      harnessBos = tokenizer.addsBos();
      questions = settings.questions().map(asked -> MedqaQuestions.read(asked.file()));
      questionWork = questionWork(tokenizer);
      textWork = settings.text().files().isEmpty() ? Optional.empty() : Optional.of(textWork(tokenizer));
    }
    questions.filter(read -> read.rejected() > 0).ifPresent(read -> listener.notice(read.file() + ": "
        + read.rejected() + " rows that contradict themselves are left out"));
    for (QuestionWork work : questionWork) {
      long cut = work.readings().stream().filter(Reading::cut).count();
      if (cut > 0) {
        listener.notice(cut + " prompts (" + work.form().title() + ") are longer than the model's context of "
            + config.maxPositions() + " tokens and lose their beginning");
      }
    }
  }

  private List<QuestionWork> questionWork(HuggingFaceTokenizer tokenizer) {
    var work = new ArrayList<QuestionWork>();
    settings.questions().ifPresent(asked -> {
      MedqaQuestions read = questions.orElseThrow();
      for (PromptForm form : asked.forms()) {
        Prompt.Maker maker = switch (form) {
          case HARNESS -> Prompt.harness(tokenizer, harnessBos);
          case TEMPLATE -> Prompt.template(tokenizer, asked.template(), asked.system());
        };
        String how = form == PromptForm.HARNESS ? "" : asked.template() + "\n" + asked.system();
        work.add(QuestionWork.of(form, settings.limited(read.questions()), maker, config.maxPositions(),
            new Digest().add(read.digest()).add(how).hex()));
      }
    });
    return work;
  }

  private TextWork textWork(HuggingFaceTokenizer tokenizer) {
    EvaluationSettings.Text text = settings.text();
    Perplexity.Windows windows = text.windows().within(config.maxPositions());
    TextDocuments documents = TextDocuments.read(text.files());
    List<int[]> ids = settings.limited(documents.texts()).stream().map(tokenizer::encodeWithBos).toList();
    return new TextWork(ids, windows, documents.digest());
  }

  private EvaluationReport run(Backend backend, long memoryLimitBytes) {
    int positions = Math.max(questionWork.stream().mapToInt(QuestionWork::longest).max().orElse(1),
        textWork.map(work -> work.windows().tokens()).orElse(1));
    String base = Fingerprint.of(settings.base().folder());
    var results = new ArrayList<VariantResult>();
    try (var models = new VariantModels(settings, positions, backend, memoryLimitBytes, listener)) {
      for (Variant variant : settings.variants()) {
        String digest = base + variant.adapter().map(Fingerprint::of).orElse("");
        results.add(evaluate(new VariantRun(variant, digest, backend.products(), once(() -> models.with(variant)),
            settings, listener)));
      }
    }
    return new EvaluationReport(settings, backend.name(), backend.products(), config.quantization(),
        questions.flatMap(MedqaQuestions::split), textWork.map(work -> work.documents().size()).orElse(0),
        textWork.map(TextWork::windows), harnessBos, config.maxPositions(), results);
  }

  private static Supplier<LoadedModel> once(Supplier<LoadedModel> supplier) {
    return new Supplier<>() {
      private @Nullable LoadedModel model;

      @Override
      public LoadedModel get() {
        LoadedModel known = model;
        if (known == null) {
          known = supplier.get();
          model = known;
        }
        return known;
      }
    };
  }

  private VariantResult evaluate(VariantRun run) {
    Optional<TextResult> text = textWork.map(work -> work.run(run));
    var answers = new LinkedHashMap<PromptForm, QuestionResult>();
    questionWork.forEach(work -> answers.put(work.form(), work.run(run)));
    return new VariantResult(run.variant(), text, answers);
  }
}
