package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.training.preprocess.MedqaPreprocessor;
import dev.jqlora.training.preprocess.PreprocessReport;
import dev.jqlora.training.preprocess.PreprocessReport.Duplicates;
import dev.jqlora.training.preprocess.PreprocessReport.Split;
import dev.jqlora.training.preprocess.PreprocessReport.Textbooks;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes the datasets of both stages from raw files in MedQA's layout. */
@Command(name = "preprocess", description = "Make the training data from MedQA's questions and textbooks.", footer = {
    "",
    "Writes DIR/medqa_sft.jsonl (and medqa_dev, medqa_test), DIR/textbooks_pretrain.jsonl, the held-out",
    "sections as DIR/textbooks_heldout.jsonl and .txt, and DIR/dataset_info.json, which names them all.",
    "", "Examples:",
    "  jqlora preprocess",
    "  jqlora preprocess --raw downloads/data_clean",
    "  jqlora preprocess qa --options 5"})
final class PreprocessCommand implements Runnable {
  /** What can be made alone. */
  enum Part {
    QA, TEXTBOOKS;

    /** As it is typed. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(arity = "0..1", paramLabel = "[qa|textbooks]", description = "Make the questions or the text alone (default: both).")
  private @Nullable Part part;

  @Option(names = "--raw", paramLabel = "DIR", description = "The raw files in MedQA's layout (default: data_clean, the sample that comes with jqlora).")
  private @Nullable Path raw;

  @Option(names = "--out", paramLabel = "DIR", defaultValue = "data", description = "Where the datasets go (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Option(names = "--options", paramLabel = "N", defaultValue = "4", description = "Options of a question, 4 or 5 (default: ${DEFAULT-VALUE}).")
  private int options;

  @Option(names = "--section-characters", paramLabel = "N", defaultValue = "4000", description = "The longest section of a textbook (default: ${DEFAULT-VALUE}).")
  private int sectionCharacters;

  @Option(names = "--held-out-every", paramLabel = "N", defaultValue = "50", description = "Hold one section in so many out of training, for perplexity (default: ${DEFAULT-VALUE}).")
  private int heldOutEvery;

  @Mixin
  private Output output;

  @Override
  public void run() {
    Path source = raw == null ? Home.find("data_clean") : raw;
    PreprocessReport report = new MedqaPreprocessor(source, out, options, sectionCharacters, heldOutEvery)
        .run(part != Part.TEXTBOOKS, part != Part.QA);
    report.notices().forEach(notice -> output.err().println("jqlora: note: " + notice));
    output.print(json(report), () -> print(report));
  }

  private ObjectNode json(PreprocessReport report) {
    ObjectNode json = output.object();
    if (!report.splits().isEmpty()) {
      ObjectNode splits = json.putObject("questions");
      report.splits().forEach((name, split) -> {
        ObjectNode fields = splits.putObject(name).put("file", split.file().toString()).put("rows", split.rows())
            .put("left_out", split.rejected());
        split.answers().forEach(fields.putObject("answers")::put);
      });
      Duplicates duplicates = report.duplicates();
      json.putObject("duplicates").put("test_in_train", duplicates.testInTrain()).put("dev_in_train",
          duplicates.devInTrain()).put("test_in_dev", duplicates.testInDev());
    }
    Textbooks textbooks = report.textbooks();
    if (textbooks != null) {
      json.putObject("textbooks").put("books", textbooks.books()).put("sections", textbooks.sections()).put("held_out",
          textbooks.heldOut()).put("characters", textbooks.characters());
    }
    report.written().forEach(file -> json.withArray("written").add(file.toString()));
    report.notices().forEach(json.putArray("notices")::add);
    return json;
  }

  private void print(PreprocessReport report) {
    report.splits().forEach((name, split) -> line("%-11s%,8d questions, answers %s%s", name, split.rows(), answers(
        split), split.rejected() == 0 ? "" : ", %d left out".formatted(split.rejected())));
    if (!report.splits().isEmpty()) {
      Duplicates duplicates = report.duplicates();
      line("leakage    %,8d of test in train, %d of dev in train, %d of test in dev", duplicates.testInTrain(),
          duplicates
              .devInTrain(),
          duplicates.testInDev());
    }
    Textbooks textbooks = report.textbooks();
    if (textbooks != null) {
      line("textbooks  %,8d with %,d characters in %,d sections, %,d of them held out", textbooks.books(), textbooks
          .characters(), textbooks.sections(), textbooks.heldOut());
    }
    line("written     %s", report.written().stream().map(Path::toString).collect(Collectors.joining(", ")));
  }

  private static String answers(Split split) {
    return split.answers().entrySet().stream().map(entry -> "%s %d".formatted(entry.getKey(), entry.getValue()))
        .collect(Collectors.joining(", "));
  }

  private void line(String format, Object... values) {
    output.out().println(String.format(Locale.ROOT, format, values));
  }
}
