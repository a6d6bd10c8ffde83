package dev.jqlora.training.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.training.evaluate.QuestionResult.Answer;
import dev.jqlora.training.files.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The questions in one form.
 *
 * @param readings of the questions, in their order
 * @param digest of the questions and the form
 */
record QuestionWork(PromptForm form, List<ChoiceQuestion> questions, List<Reading> readings, String digest) {
  /** @param window most tokens that the model reads at once */
  static QuestionWork of(PromptForm form, List<ChoiceQuestion> questions, Prompt.Maker maker, int window,
      String digest) {
    return new QuestionWork(form, questions, questions.stream().map(question -> Reading.of(maker.of(question), window))
        .toList(), digest);
  }

  QuestionResult run(VariantRun run) {
    Path file = run.file(form.title(), digest);
    try (ResultLog log = run.log(file, this::isLine)) {
      var answers = new ArrayList<Answer>();
      for (int i = 0; i < Math.min(log.earlier().size(), questions.size()); i++) {
        answers.add(answer(i, scores(log.earlier().get(i))));
      }
      if (answers.size() < questions.size()) {
        ask(run, log, answers);
      }
      var result = new QuestionResult(answers, file);
      Accuracy accuracy = result.accuracy();
      run.listener().finished("%s: %d of %d right (%s)".formatted(run.variant().name(), accuracy.correct(), accuracy
          .n(), form.title()));
      return result;
    }
  }

  /** Asks the questions that have no answer yet, in the same batches as a run that has none. */
  private void ask(VariantRun run, ResultLog log, List<Answer> answers) {
    OptionScorer scorer = new OptionScorer(run.model().get());
    int first = 0;
    for (List<Reading> batch : OptionScorer.batches(readings, run.settings().batchTokens())) {
      int end = first + batch.size();
      if (end > answers.size()) {
        run.listener().progress(run.variant().name() + ": questions (" + form.title() + ")", answers.size(),
            questions.size());
        List<double[]> scores = scorer.score(batch);
        var lines = new ArrayList<ObjectNode>();
        for (int i = answers.size(); i < end; i++) {
          Answer answer = answer(i, scores.get(i - first));
          answers.add(answer);
          lines.add(line(run.variant(), i, answer, scores.get(i - first)));
        }
        log.append(lines.toArray(ObjectNode[]::new));
      }
      first = end;
    }
  }

  private Answer answer(int index, double[] scores) {
    int best = 0;
    for (int option = 1; option < scores.length; option++) {
      best = scores[option] > scores[best] ? option : best;
    }
    return new Answer(gold(index), MedqaQuestions.letter(best), readings.get(index).cut());
  }

  private String gold(int index) {
    return MedqaQuestions.letter(questions.get(index).answer());
  }

  private ObjectNode line(Variant variant, int index, Answer answer, double[] scores) {
    ObjectNode line = Json.MAPPER.createObjectNode().put("variant", variant.name()).put("form", form.title())
        .put("index", index).put("gold", answer.gold()).put("prediction", answer.prediction())
        .put("right", answer.right()).put("cut", answer.cut());
    ArrayNode numbers = line.putArray("scores");
    for (double score : scores) {
      numbers.add(score);
    }
    return line;
  }

  /** Whether a line can be the answer to a question; one beyond the limit is kept for a later run. */
  private boolean isLine(int index, ObjectNode line) {
    JsonNode scores = line.path("scores");
    if (line.path("index").asInt(-1) != index || !scores.isArray()) {
      return false;
    }
    for (JsonNode score : scores) {
      if (!score.isNumber() || !Double.isFinite(score.doubleValue())) {
        return false;
      }
    }
    return index >= questions.size() || scores.size() == questions.get(index).options() && line.path("gold").asText()
        .equals(gold(index));
  }

  private static double[] scores(ObjectNode line) {
    double[] scores = new double[line.path("scores").size()];
    for (int option = 0; option < scores.length; option++) {
      scores[option] = line.path("scores").path(option).doubleValue();
    }
    return scores;
  }

  /** Tokens of the longest sequence. */
  int longest() {
    return readings.stream().mapToInt(Reading::longest).max().orElse(0);
  }
}
