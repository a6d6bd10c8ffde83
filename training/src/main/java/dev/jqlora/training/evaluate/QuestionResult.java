package dev.jqlora.training.evaluate;

import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * A variant's answers to the questions in one form.
 *
 * @param answers in the questions' order, at least one
 * @param file a line per question
 */
public record QuestionResult(List<Answer> answers, Path file) {
  /**
   * The answer to a question.
   *
   * @param gold the right option's letter
   * @param prediction the letter of the likeliest option, the first of equals
   * @param cut whether the prompt was longer than the model's context and lost its beginning
   */
  public record Answer(String gold, String prediction, boolean cut) {
    public boolean right() {
      return gold.equals(prediction);
    }
  }

  public QuestionResult {
    answers = List.copyOf(answers);
  }

  public Accuracy accuracy() {
    return new Accuracy(answers.size(), (int) answers.stream().filter(Answer::right).count());
  }

  /** How many prompts lost their beginning. */
  public int cut() {
    return (int) answers.stream().filter(Answer::cut).count();
  }

  /** How often each letter is right. */
  public SequencedMap<String, Integer> gold() {
    return count(answers, Answer::gold);
  }

  /** How often each letter was chosen. */
  public SequencedMap<String, Integer> predicted() {
    return count(answers, Answer::prediction);
  }

  /** How often each letter was chosen rightly. */
  public SequencedMap<String, Integer> right() {
    return count(answers.stream().filter(Answer::right).toList(), Answer::gold);
  }

  private static SequencedMap<String, Integer> count(List<Answer> answers, Function<Answer, String> letter) {
    var counts = new TreeMap<String, Integer>();
    answers.forEach(answer -> counts.merge(letter.apply(answer), 1, Integer::sum));
    return counts;
  }

  /** The test of these answers against another's to the same questions. */
  public McNemar against(QuestionResult other) {
    return McNemar.of(answers.stream().map(Answer::right).toList(), other.answers.stream().map(Answer::right)
        .toList());
  }
}
