package dev.jqlora.training.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.config.Dtypes;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.score.Perplexity;
import dev.jqlora.training.files.Json;
import java.util.Locale;
import java.util.Map;

/** A report as JSON: how everything was measured, then the figures, unrounded. */
public final class EvaluationJson {
  private EvaluationJson() {}

  /** The object that stands in {@link Evaluation#FILE}. */
  public static ObjectNode of(EvaluationReport report) {
    ObjectNode json = object();
    json.put("model", report.settings().base().name());
    json.put("quantization", quantization(report));
    json.put("backend", report.backend());
    json.put("products", Dtypes.name(report.products()));
    json.put("activations", "float32");
    json.putNull("seed");
    report.settings().questions().ifPresent(questions -> json.set("questions", questions(report, questions)));
    report.windows().ifPresent(windows -> json.set("text", text(report, windows)));
    ArrayNode variants = json.putArray("variants");
    report.variants().forEach(variant -> variants.add(variant(variant)));
    ArrayNode comparisons = json.putArray("mcnemar");
    report.comparisons().forEach(comparison -> comparisons.add(comparison(comparison)));
    return json;
  }

  private static ObjectNode object() {
    return Json.MAPPER.createObjectNode();
  }

  /** Projections that are stored quantized stay as they are, whatever the options say. */
  private static String quantization(EvaluationReport report) {
    Quantization quantization = report.settings().base().quantization();
    String nested = nf4(quantization.nested());
    if (report.stored().isPresent()) {
      String stored = nf4(report.stored().get().doubleQuantization()) + ", as stored";
      return quantization.head() ? stored + "; head " + nested : stored;
    }
    if (!quantization.projections() && !quantization.head()) {
      return "none";
    }
    return !quantization.head() ? nested : quantization.projections() ? nested + ", head too" : nested + ", head alone";
  }

  private static String nf4(boolean nested) {
    return nested ? "nf4, double quantization" : "nf4";
  }

  private static ObjectNode questions(EvaluationReport report, EvaluationSettings.Questions questions) {
    ObjectNode json = object().put("file", questions.file().toString());
    report.split().ifPresentOrElse(split -> json.put("split", split), () -> json.putNull("split"));
    report.settings().limit().ifPresentOrElse(limit -> json.put("limit", limit), () -> json.putNull("limit"));
    json.put("shots", 0).put("method", "option log-likelihood, summed over the continuation's tokens");
    json.put("context_tokens", report.context());
    ObjectNode forms = json.putObject("forms");
    for (PromptForm form : questions.forms()) {
      ObjectNode how = forms.putObject(form.title());
      switch (form) {
        case HARNESS -> how.put("prompt", "lm-evaluation-harness medqa_4options").put("bos", report.harnessBos());
        case TEMPLATE -> how.put("template", questions.template().name().toLowerCase(Locale.ROOT))
            .put("system", questions.system());
      }
    }
    return json;
  }

  private static ObjectNode text(EvaluationReport report, Perplexity.Windows windows) {
    ObjectNode json = object();
    ArrayNode files = json.putArray("files");
    report.settings().text().files().forEach(file -> files.add(file.toString()));
    return json.put("documents", report.documents()).put("window", windows.tokens()).put("stride", windows.stride());
  }

  private static ObjectNode variant(VariantResult result) {
    ObjectNode json = object().put("name", result.variant().name());
    result.variant().adapter().ifPresentOrElse(folder -> json.put("adapter", folder.toString()),
        () -> json.putNull("adapter"));
    result.text().ifPresent(text -> json.putObject("perplexity").put("tokens", text.perplexity().tokens())
        .put("mean_nll", text.perplexity().meanNll()).put("perplexity", text.perplexity().perplexity())
        .put("file", text.file().toString()));
    if (!result.questions().isEmpty()) {
      ObjectNode forms = json.putObject("medqa");
      result.questions().forEach((form, answers) -> forms.set(form.title(), answers(answers)));
    }
    return json;
  }

  private static ObjectNode answers(QuestionResult answers) {
    Accuracy accuracy = answers.accuracy();
    ObjectNode json = object().put("n", accuracy.n()).put("correct", accuracy.correct())
        .put("accuracy", accuracy.share());
    json.putArray("interval_95").add(accuracy.interval().low()).add(accuracy.interval().high());
    accuracy.standardError().ifPresentOrElse(error -> json.put("stderr", error), () -> json.putNull("stderr"));
    json.put("cut_prompts", answers.cut());
    json.set("gold", counts(answers.gold()));
    json.set("predicted", counts(answers.predicted()));
    json.set("right", counts(answers.right()));
    return json.put("file", answers.file().toString());
  }

  private static JsonNode counts(Map<String, Integer> counts) {
    ObjectNode json = object();
    counts.forEach(json::put);
    return json;
  }

  private static ObjectNode comparison(EvaluationReport.Comparison comparison) {
    return object().put("form", comparison.form().title()).put("first", comparison.first().name())
        .put("second", comparison.second().name()).put("only_first_right", comparison.test().onlyFirst())
        .put("only_second_right", comparison.test().onlySecond()).put("p_value", comparison.test().pValue());
  }
}
