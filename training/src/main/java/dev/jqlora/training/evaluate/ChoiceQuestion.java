package dev.jqlora.training.evaluate;

import dev.jqlora.training.preprocess.MedqaQuestion;

/**
 * A multiple-choice question as prompts want it.
 *
 * @param instruction what an answering model is told in training
 * @param text the question and a line {@code X. text} per option
 * @param options how many there are
 * @param answer index of the right one
 */
record ChoiceQuestion(String instruction, String text, int options, int answer) {
  static ChoiceQuestion of(MedqaQuestion question) {
    return new ChoiceQuestion(MedqaQuestion.INSTRUCTION, question.text(), question.options().size(), question.answer());
  }

  /** The user's text in training: instruction and question on lines of their own. */
  String userText() {
    return instruction.isEmpty() ? text : instruction + "\n" + text;
  }
}
