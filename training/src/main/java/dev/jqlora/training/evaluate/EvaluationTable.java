package dev.jqlora.training.evaluate;

import dev.jqlora.training.evaluate.EvaluationReport.Comparison;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** A report as text for people: a row per variant, how it was measured, and whether differences mean anything. */
public final class EvaluationTable {
  private static final String GAP = "   ";

  private final EvaluationReport report;

  private EvaluationTable(EvaluationReport report) {
    this.report = report;
  }

  /** The text, of several lines. */
  public static String of(EvaluationReport report) {
    var table = new EvaluationTable(report);
    return table.rows() + "\n" + table.notes() + table.comparisons();
  }

  private List<PromptForm> forms() {
    return report.settings().questions().map(questions -> List.copyOf(questions.forms())).orElse(List.of());
  }

  private String rows() {
    var rows = new ArrayList<List<String>>();
    var head = new ArrayList<>(List.of("variant"));
    if (report.windows().isPresent()) {
      head.add("perplexity");
    }
    forms().forEach(form -> head.add("MedQA " + form.title() + ", 95 % interval"));
    rows.add(head);
    for (VariantResult variant : report.variants()) {
      var row = new ArrayList<>(List.of(variant.variant().name()));
      variant.text().ifPresent(text -> row.add(format("%.3f", text.perplexity().perplexity())));
      variant.questions().values().forEach(answers -> row.add(accuracy(answers.accuracy())));
      rows.add(row);
    }
    int[] widths = new int[head.size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    var text = new StringBuilder();
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        text.append(i == 0 ? "" : GAP).append(padded(row.get(i), widths[i], i == 0));
      }
      text.append('\n');
    }
    return text.toString();
  }

  private static String padded(String cell, int width, boolean left) {
    String spaces = " ".repeat(width - cell.length());
    return left ? cell + spaces : spaces + cell;
  }

  private static String accuracy(Accuracy accuracy) {
    return format("%.1f %%  %d/%d  [%.1f, %.1f]", 100 * accuracy.share(), accuracy.correct(), accuracy.n(),
        100 * accuracy.interval().low(), 100 * accuracy.interval().high());
  }

  private String notes() {
    var notes = new StringBuilder();
    report.windows().ifPresent(windows -> {
      long tokens = report.variants().getFirst().text().orElseThrow().perplexity().tokens();
      notes.append(format("perplexity: %d tokens of %s, weighted by token; window %d, stride %d%n", tokens,
          report.documents() == 1 ? "1 document" : report.documents() + " documents", windows.tokens(),
          windows.stride()));
    });
    report.settings().questions().ifPresent(questions -> {
      int n = report.variants().getFirst().questions().firstEntry().getValue().accuracy().n();
      notes.append(format("MedQA: %d questions of %s, no examples, the option of the greatest log-likelihood", n,
          questions.file().getFileName()));
      if (questions.forms().contains(PromptForm.TEMPLATE)) {
        notes.append(format("; template %s", questions.template().name().toLowerCase(Locale.ROOT)));
      }
      notes.append('\n');
    });
    return notes.toString();
  }

  private String comparisons() {
    return report.comparisons().stream().map(EvaluationTable::line).collect(Collectors.joining());
  }

  private static String line(Comparison comparison) {
    McNemar test = comparison.test();
    return format("McNemar, %s: only %s right %d, only %s right %d, p = %.3g%n", comparison.form().title(),
        comparison.first().name(), test.onlyFirst(), comparison.second().name(), test.onlySecond(), test.pValue());
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern.replace("%n", "\n"), values);
  }
}
