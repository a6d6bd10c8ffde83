package dev.jqlora.training.preprocess;

import java.util.List;

/**
 * A multiple-choice question.
 *
 * @param question the vignette and what is asked, as in the file
 * @param options the options' texts, from A on
 * @param answer index of the right option
 * @param where the file and line that it stands in
 */
public record MedqaQuestion(String question, List<String> options, int answer, String where) {
  /** What an answering model is told; training and evaluation use the same sentence. */
  public static final String INSTRUCTION = "Answer the following USMLE question with the letter of the right option.";

  /** The letter of an option's index. */
  public static String letter(int option) {
    return String.valueOf((char) ('A' + option));
  }

  /** The right option's letter. */
  public String answerLetter() {
    return letter(answer);
  }

  /** The letters of all options, as {@code ABCD}. */
  public String letters() {
    var letters = new StringBuilder();
    for (int i = 0; i < options.size(); i++) {
      letters.append(letter(i));
    }
    return letters.toString();
  }

  /** The question and a line {@code X. text} per option. */
  public String text() {
    var text = new StringBuilder(question);
    for (int i = 0; i < options.size(); i++) {
      text.append('\n').append(letter(i)).append(". ").append(options.get(i));
    }
    return text.toString();
  }

  /** What is wrong with the question in itself; empty where nothing is. */
  String contradiction(String answerText) {
    if (options.stream().distinct().count() != options.size()) {
      return "two options are equal";
    }
    return options.get(answer).equals(answerText) ? "" : "answer is not the text of option " + answerLetter();
  }
}
