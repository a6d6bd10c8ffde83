package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.preprocess.MedqaPreprocessor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MedqaQuestionsTest {
  private static final String RAW = "{\"question\": \"Q?\", \"answer\": \"two\", \"options\": {\"B\": \"two\", "
      + "\"A\": \"one\", \"D\": \"four\", \"C\": \"three\"}, \"answer_idx\": \"B\"}";
  private static final String MADE = "{\"instruction\": \"I\", \"input\": \"Q?\\nA. a\\nB. b\\nC. c\\nD. d\\nE. e\", "
      + "\"output\": \"E\", \"letters\": \"ABCDE\"}";

  @TempDir
  Path folder;

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("questions_test.jsonl"), text);
  }

  @Test
  void readsRowsOfMedqa() throws IOException {
    MedqaQuestions read = MedqaQuestions.read(file(RAW + "\n\n" + RAW.replace("\"D\": ", "\"E\": \"five\", \"D\": ")));
    assertEquals(new ChoiceQuestion("Answer the following USMLE question with the letter of the right option.",
        "Q?\nA. one\nB. two\nC. three\nD. four", 4, 1), read.questions().getFirst());
    assertEquals(5, read.questions().get(1).options());
    assertEquals(Optional.of("test"), read.split());
    assertEquals(0, read.rejected());
  }

  @Test
  void readsRowsThatPreprocessingWrote() throws IOException {
    ChoiceQuestion question = MedqaQuestions.read(file(MADE)).questions().getFirst();
    assertEquals(new ChoiceQuestion("I", "Q?\nA. a\nB. b\nC. c\nD. d\nE. e", 5, 4), question);
    assertEquals("I\nQ?\nA. a\nB. b\nC. c\nD. d\nE. e", question.userText());
  }

  @Test
  void bothLayoutsGiveTheSameQuestions() {
    Path sample = Path.of(System.getProperty("jqlora.root", "..")).resolve("data_clean");
    new MedqaPreprocessor(sample, folder).run(true, false);
    MedqaQuestions raw = MedqaQuestions.read(sample.resolve(
        "questions/US/4_options/phrases_no_exclude_test.jsonl"));
    MedqaQuestions made = MedqaQuestions.read(folder.resolve("medqa_test.jsonl"));
    assertEquals(raw.questions(), made.questions());
    assertEquals(raw.digest(), made.digest());
    assertEquals(20, made.questions().size());
  }

  @Test
  void aRowThatContradictsItselfIsLeftOut() throws IOException {
    MedqaQuestions read = MedqaQuestions.read(file(RAW + "\n" + RAW.replace("\"answer\": \"two\"",
        "\"answer\": \"ten\"")));
    assertEquals(1, read.rejected());
    assertEquals(1, read.questions().size());
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"question\": \"Q?\"", "[]", "7", "{\"question\": 7}", "\u0000", "{}",
      "{\"question\": \"Q?\", \"answer\": \"a\", \"options\": {\"A\": \"a\", \"B\": \"b\", \"C\": \"c\"}}",
      "{\"question\": \"Q?\", \"answer\": \"a\", \"options\": [\"a\"]}",
      "{\"question\": \"Q?\", \"answer\": \"a\", \"options\": {\"A\": \"a\", \"B\": \"b\", \"C\": \"c\", \"X\": \"d\"}}",
      "{\"question\": \" \", \"answer\": \"a\", \"options\": {\"A\": \"a\", \"B\": \"b\", \"C\": \"c\", \"D\": \"d\"}}"})
  void aDamagedRowIsNamed(String row) throws IOException {
    assertNamed(RAW + "\n" + row);
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"input\": \"Q?\"}", "{\"instruction\": \"\", \"input\": 7, \"output\": \"A\"}",
      "{\"instruction\": \"\", \"input\": \"Q\", \"output\": \"F\", \"letters\": \"ABCD\"}",
      "{\"instruction\": \"\", \"input\": \"Q\", \"output\": \"Aspirin\", \"letters\": \"ABCD\"}",
      "{\"instruction\": \"\", \"input\": \"Q\", \"output\": \"A\", \"letters\": \"A\"}",
      "{\"instruction\": \"\", \"input\": \" \", \"output\": \"A\", \"letters\": \"ABCD\"}"})
  void aDamagedRowOfPreprocessingIsNamed(String row) throws IOException {
    assertNamed(MADE + "\n" + row);
  }

  private void assertNamed(String text) throws IOException {
    Path file = file(text);
    JqloraException error = assertThrows(JqloraException.class, () -> MedqaQuestions.read(file));
    assertEquals(Kind.DATA, error.kind());
    String message = Objects.requireNonNull(error.getMessage());
    assertTrue(message.startsWith(file + ":2: "), message);
    assertEquals(1, message.lines().count());
  }

  @Test
  void filesWithoutQuestionsAreRefused() throws IOException {
    assertEquals(Kind.DATA, assertThrows(JqloraException.class, () -> MedqaQuestions.read(file("\n"))).kind());
    assertEquals(Kind.DATA, assertThrows(JqloraException.class,
        () -> MedqaQuestions.read(file(RAW.replace("\"two\", \"A\"", "\"one\", \"A\"")))).kind());
    assertEquals(Kind.IO, assertThrows(JqloraException.class, () -> MedqaQuestions.read(folder.resolve("none")))
        .kind());
    Files.write(folder.resolve("bytes.jsonl"), "{\"question\": \"\u00e9\"}".getBytes(StandardCharsets.ISO_8859_1));
    assertEquals(Kind.DATA, assertThrows(JqloraException.class,
        () -> MedqaQuestions.read(folder.resolve("bytes.jsonl"))).kind());
  }
}
