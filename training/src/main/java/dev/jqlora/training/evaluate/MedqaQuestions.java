package dev.jqlora.training.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.LineReader;
import dev.jqlora.training.preprocess.MedqaQuestion;
import dev.jqlora.training.preprocess.QuestionFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The questions of a JSONL file: MedQA's own rows, or those that preprocessing made of them.
 *
 * @param questions in the file's order
 * @param rejected how many rows contradict themselves and are left out
 * @param digest of what was read, whatever the file's layout
 */
record MedqaQuestions(Path file, List<ChoiceQuestion> questions, int rejected, String digest) {
  private static final Set<Integer> OPTION_COUNTS = Set.of(4, 5);
  private static final List<String> LETTERS = List.of("ABCD", "ABCDE");
  private static final List<String> SPLITS = List.of("train", "dev", "test");

  /**
   * Reads a file of questions.
   *
   * @throws JqloraException {@code DATA} with file and line for a line that is no question, {@code IO} where there is no
   *   such file
   */
  static MedqaQuestions read(Path file) {
    if (isPreprocessed(file)) {
      return of(file, preprocessed(file), 0);
    }
    QuestionFile raw = QuestionFile.read(file, OPTION_COUNTS);
    if (raw.questions().isEmpty()) {
      throw new JqloraException(Kind.DATA, raw.rejected().getFirst() + "; no other row is sound");
    }
    return of(file, raw.questions().stream().map(ChoiceQuestion::of).toList(), raw.rejected().size());
  }

  private static MedqaQuestions of(Path file, List<ChoiceQuestion> questions, int rejected) {
    var digest = new Digest();
    for (ChoiceQuestion question : questions) {
      digest.add(question.instruction()).add(question.text()).add(question.options()).add(question.answer());
    }
    return new MedqaQuestions(file, questions, rejected, digest.hex());
  }

  /** The split that the file's name ends with, where it does. */
  Optional<String> split() {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT).replaceFirst("\\.[^.]*$", "");
    return SPLITS.stream().filter(name::endsWith).findFirst();
  }

  private static boolean isPreprocessed(Path file) {
    try (var lines = new LineReader(file)) {
      String line = nextLine(lines);
      return line != null && Json.object(line, lines.where()).has("input");
    }
  }

  private static @Nullable String nextLine(LineReader lines) {
    String line = lines.next();
    while (line != null && line.isBlank()) {
      line = lines.next();
    }
    return line;
  }

  private static List<ChoiceQuestion> preprocessed(Path file) {
    var questions = new ArrayList<ChoiceQuestion>();
    try (var lines = new LineReader(file)) {
      for (String line = nextLine(lines); line != null; line = nextLine(lines)) {
        questions.add(new Line(Json.object(line, lines.where()), lines.where()).question());
      }
    }
    return List.copyOf(questions);
  }

  /** A row that preprocessing wrote. */
  private record Line(ObjectNode fields, String where) {
    ChoiceQuestion question() {
      String letters = text("letters");
      if (!LETTERS.contains(letters)) {
        throw error("\"letters\": expected " + String.join(" or ", LETTERS) + ", got " + FileErrors.quoted(letters));
      }
      String output = text("output");
      int answer = output.matches("[A-E](\\..*)?") ? letters.indexOf(output.charAt(0)) : -1;
      if (answer < 0) {
        throw error("\"output\": expected one of the letters " + letters + ", got " + FileErrors.quoted(output));
      }
      String text = text("input");
      if (text.isBlank()) {
        throw error("\"input\": expected text, got nothing but spaces");
      }
      return new ChoiceQuestion(text("instruction"), text, letters.length(), answer);
    }

    private String text(String name) {
      JsonNode value = fields.path(name);
      if (!value.isTextual()) {
        throw error(FileErrors.quoted(name) + ": expected text, got " + Json.describe(value) + "; expected a row with "
            + "\"question\", \"options\" and \"answer\", or one that jqlora preprocess wrote");
      }
      return value.textValue();
    }

    private JqloraException error(String complaint) {
      return new JqloraException(Kind.DATA, where + ": " + complaint);
    }
  }

  /** The letter of an option. */
  static String letter(int option) {
    return MedqaQuestion.letter(option);
  }
}
