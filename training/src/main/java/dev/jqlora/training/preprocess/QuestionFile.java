package dev.jqlora.training.preprocess;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.LineReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The questions of one JSONL file in MedQA's form.
 *
 * @param rejected {@code FILE:LINE: why} of each row that contradicts itself and is left out
 */
public record QuestionFile(List<MedqaQuestion> questions, List<String> rejected) {
  /**
   * Reads a file of questions.
   *
   * @param optionCounts how many options a question may have
   * @throws JqloraException {@code DATA} with file and line, for a line that is no question of that form
   */
  public static QuestionFile read(Path file, Set<Integer> optionCounts) {
    var questions = new ArrayList<MedqaQuestion>();
    var rejected = new ArrayList<String>();
    try (var lines = new LineReader(file)) {
      for (String line = lines.next(); line != null; line = lines.next()) {
        if (!line.isBlank()) {
          new Line(Json.object(line, lines.where()), lines.where(), optionCounts).addTo(questions, rejected);
        }
      }
    }
    if (questions.isEmpty()) {
      throw new JqloraException(Kind.DATA, file + ": no questions; expected a JSON object per line");
    }
    return new QuestionFile(List.copyOf(questions), List.copyOf(rejected));
  }

  /** One line, while it is being read. */
  private record Line(ObjectNode fields, String where, Set<Integer> optionCounts) {
    void addTo(List<MedqaQuestion> questions, List<String> rejected) {
      String text = text("question");
      String answerText = text("answer");
      List<String> options = options();
      JsonNode letter = fields.path("answer_idx");
      int answer = letter.isMissingNode() || letter.isNull()
          ? options.indexOf(answerText)
          : index(letter, options.size());
      if (answer < 0) {
        rejected.add(where + ": answer is not the text of any option");
        return;
      }
      var question = new MedqaQuestion(text, options, answer, where);
      String contradiction = question.contradiction(answerText);
      if (contradiction.isEmpty()) {
        questions.add(question);
      } else {
        rejected.add(where + ": " + contradiction);
      }
    }

    private List<String> options() {
      JsonNode node = fields.path("options");
      if (!(node instanceof ObjectNode options)) {
        throw error("options: expected an object {\"A\": ..., \"B\": ...}, got " + Json.describe(node));
      }
      if (!optionCounts.contains(options.size())) {
        String expected = optionCounts.stream().sorted().map(String::valueOf).collect(Collectors.joining(" or "));
        throw error("options: expected " + expected + ", got " + options.size()
            + (optionCounts.size() == 1 ? "; choose the number with --options" : ""));
      }
      var texts = new ArrayList<String>();
      for (int i = 0; i < options.size(); i++) {
        texts.add(text(options, MedqaQuestion.letter(i)));
      }
      return List.copyOf(texts);
    }

    private int index(JsonNode letter, int optionCount) {
      String text = letter.asText();
      int index = text.length() == 1 ? text.charAt(0) - 'A' : -1;
      if (index < 0 || index >= optionCount) {
        throw error("answer_idx: expected a letter from A to " + MedqaQuestion.letter(optionCount - 1) + ", got "
            + Json.describe(letter));
      }
      return index;
    }

    private String text(String name) {
      String text = text(fields, name);
      if (text.isBlank()) {
        throw error(name + ": expected text, got nothing but spaces");
      }
      return text;
    }

    private String text(ObjectNode from, String name) {
      JsonNode value = from.get(name);
      if (value == null || !value.isTextual()) {
        throw error(FileErrors.quoted(name) + ": expected text, got "
            + (value == null ? "nothing" : Json.describe(value)));
      }
      return value.textValue();
    }

    private JqloraException error(String complaint) {
      return new JqloraException(Kind.DATA, where + ": " + complaint);
    }
  }
}
