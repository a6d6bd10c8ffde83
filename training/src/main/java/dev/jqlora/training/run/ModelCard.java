package dev.jqlora.training.run;

import com.fasterxml.jackson.databind.node.TextNode;
import dev.jqlora.llama.files.AtomicFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;

/**
 * {@code README.md} of a trained model, with the head that model hubs read.
 *
 * @param name the run's name
 * @param baseModel folder or name of the base model as given
 * @param adapter whether an adapter was trained, rather than the whole model
 * @param datasets names of the training sets
 * @param settings hyper-parameters by name, in the order to list them
 * @param history the log history, for the table of results
 * @param versions of what made the model, by name
 */
public record ModelCard(String name, String baseModel, boolean adapter, List<String> datasets,
    SequencedMap<String, String> settings, List<LogEntry> history, SequencedMap<String, String> versions) {
  public static final String FILE = "README.md";

  /** The card's text. */
  public String text() {
    List<String> lines = new ArrayList<>(head());
    lines.addAll(List.of("", "# " + name, ""));
    lines.add("%s of `%s`, trained%s.".formatted(adapter ? "A LoRA adapter" : "A fine-tuned version", baseModel,
        datasets.isEmpty() ? "" : " on " + String.join(", ", datasets)));
    lastEvaluation().ifPresent(evaluation -> {
      lines.addAll(List.of("", "Last evaluation, at step %d:".formatted(evaluation.step()), ""));
      evaluation.values().forEach((figure, value) -> lines.add("- %s: %s".formatted(figure, rounded(value))));
    });
    lines.addAll(List.of("", "## Hyper-parameters", ""));
    settings.forEach((setting, value) -> lines.add("- %s: %s".formatted(setting, value)));
    lines.addAll(results());
    lines.addAll(List.of("", "## Versions", ""));
    versions.forEach((part, version) -> lines.add("- %s %s".formatted(part, version)));
    return String.join("\n", lines) + "\n";
  }

  private List<String> head() {
    List<String> head = new ArrayList<>(List.of("---", "library_name: " + (adapter ? "peft" : "transformers"),
        "license: other", "base_model: " + yaml(baseModel), "tags:"));
    if (adapter) {
      head.add("- " + yaml("base_model:adapter:" + baseModel));
    }
    head.addAll(List.of("- llama-factory", adapter ? "- lora" : "- full"));
    if (adapter) {
      head.add("- transformers");
    }
    head.addAll(List.of("pipeline_tag: text-generation", "model-index:", "- name: " + yaml(name), "  results: []",
        "---"));
    return head;
  }

  /** A value as YAML: plain where no reader could take it for anything but text, else as JSON, which YAML includes. */
  private static String yaml(String value) {
    if (value.matches("[A-Za-z/][A-Za-z0-9_./:-]*[A-Za-z0-9_/-]")
        && !value.matches("(?i)true|false|yes|no|on|off|null")) {
      return value;
    }
    return TextNode.valueOf(value).toString();
  }

  private Optional<LogEntry> lastEvaluation() {
    return history.reversed().stream().filter(LogEntry.Evaluation.class::isInstance).findFirst();
  }

  /** A row for each evaluation, with the training loss that was last logged before it. */
  private List<String> results() {
    if (lastEvaluation().isEmpty()) {
      return List.of();
    }
    List<String> rows = new ArrayList<>(List.of("", "## Results", "",
        "| training loss | epoch | step | validation loss |", "| ---: | ---: | ---: | ---: |"));
    TreeMap<Integer, String> losses = new TreeMap<>();
    for (LogEntry entry : history) {
      switch (entry) {
        case LogEntry.Step step -> losses.put(step.step(), rounded(step.loss()));
        case LogEntry.Evaluation evaluation -> {
          Map.Entry<Integer, String> loss = losses.floorEntry(evaluation.step());
          rows.add("| %s | %s | %d | %s |".formatted(loss == null ? "" : loss.getValue(), rounded(evaluation.epoch()),
              evaluation.step(), rounded(loss(evaluation))));
        }
        case LogEntry.Summary _ -> {
          // Not a result at a step.
        }
      }
    }
    return rows;
  }

  /** Of an evaluation, whose figures may have the name of its dataset before {@code loss}. */
  private static double loss(LogEntry.Evaluation evaluation) {
    return evaluation.values().entrySet().stream().filter(figure -> figure.getKey().endsWith("_loss"))
        .mapToDouble(Map.Entry::getValue).findFirst().orElse(Double.NaN);
  }

  private static String rounded(double value) {
    return Double.toString(Math.rint(value * 1e4) / 1e4);
  }

  /** Writes the card into a folder. */
  public void write(Path folder) {
    AtomicFile.write(folder.resolve(FILE), text());
  }
}
