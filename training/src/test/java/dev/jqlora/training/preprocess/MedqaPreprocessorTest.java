package dev.jqlora.training.preprocess;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.files.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MedqaPreprocessorTest {
  private static final Path ROOT = Path.of(System.getProperty("jqlora.root", ".."));
  private static final Path REAL = ROOT.resolve("../shared/data/medqa");
  private static final Path SAMPLE = ROOT.resolve("data_clean");

  private static final String ROW = "{\"question\": \"Q\\n1é?\", \"answer\": \"two\", \"options\": {\"B\": \"two\", "
      + "\"A\": \"one\", \"D\": \"four\", \"C\": \"three\"}, \"answer_idx\": \"B\", \"metamap_phrases\": []}";

  @TempDir
  Path folder;

  private Path raw() {
    return folder.resolve("raw");
  }

  private Path out() {
    return folder.resolve("out");
  }

  private void file(String name, String text) throws IOException {
    Path file = raw().resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private static List<JsonNode> rows(Path file) throws IOException {
    return Files.readAllLines(file).stream().map(line -> (JsonNode) Json.object(line, file.toString())).toList();
  }

  @Test
  void makesAlpacaRows() throws IOException {
    file("train.jsonl", ROW + "\n\n");
    var report = new MedqaPreprocessor(raw(), out()).run(true, false);
    var row = rows(out().resolve("medqa_sft.jsonl")).getFirst();
    assertEquals("Answer the following USMLE question with the letter of the right option.",
        row.path("instruction").textValue());
    assertEquals("Q\n1é?\nA. one\nB. two\nC. three\nD. four", row.path("input").textValue());
    assertEquals("B", row.path("output").textValue());
    assertEquals("ABCD", row.path("letters").textValue());
    assertEquals(Map.of("B", 1), split(report, "train").answers());
    assertEquals(List.of("dev: the raw folder has no such split", "test: the raw folder has no such split"),
        report.notices());
    JsonNode entry = Json.MAPPER.readTree(out().resolve("dataset_info.json").toFile()).path("medqa_sft");
    assertEquals("{\"file_name\":\"medqa_sft.jsonl\",\"columns\":{\"prompt\":\"instruction\",\"query\":\"input\","
        + "\"response\":\"output\"}}", entry.toString());
  }

  @Test
  void theLetterMayHaveToBeFound() throws IOException {
    file("train.jsonl", ROW.replace("\"answer_idx\": \"B\", ", ""));
    new MedqaPreprocessor(raw(), out()).run(true, false);
    assertEquals("B", rows(out().resolve("medqa_sft.jsonl")).getFirst().path("output").textValue());
  }

  @Test
  void rowsThatContradictThemselvesAreLeftOutAndNamed() throws IOException {
    file("train.jsonl", String.join("\n", ROW, ROW.replace("\"answer_idx\": \"B\"", "\"answer_idx\": \"C\""),
        ROW.replace("\"four\"", "\"one\""), ROW.replace("\"answer_idx\": \"B\", ", "").replace("\"answer\": \"two\"",
            "\"answer\": \"ten\"")));
    file("dev.jsonl", ROW);
    file("test.jsonl", ROW);
    var report = new MedqaPreprocessor(raw(), out()).run(true, false);
    assertEquals(1, split(report, "train").rows());
    assertEquals(3, split(report, "train").rejected());
    assertEquals(List.of("train: 3 rows that contradict themselves were left out, the first: "
        + raw().resolve("train.jsonl") + ":2: answer is not the text of option C"), report.notices());
    assertEquals(new PreprocessReport.Duplicates(1, 1, 1), report.duplicates());
  }

  @Test
  void keepsOtherDatasetsAndIsRepeatable() throws IOException {
    file("train.jsonl", ROW);
    file("en/Book.txt", "One.\n\nTwo.\n");
    Files.createDirectories(out());
    Files.writeString(out().resolve("dataset_info.json"), "{\"mine\":{\"file_name\":\"x.json\"},\"medqa_sft\":7}");
    var first = new MedqaPreprocessor(raw(), out()).run(true, true);
    JsonNode info = Json.MAPPER.readTree(out().resolve("dataset_info.json").toFile());
    assertEquals("x.json", info.path("mine").path("file_name").textValue());
    assertEquals("medqa_sft.jsonl", info.path("medqa_sft").path("file_name").textValue());
    var bytes = first.written().stream().map(MedqaPreprocessorTest::bytes).toList();
    var second = new MedqaPreprocessor(raw(), out()).run(true, true);
    assertEquals(first, second);
    for (int i = 0; i < bytes.size(); i++) {
      assertArrayEquals(bytes.get(i), bytes(second.written().get(i)), second.written().get(i).toString());
    }
    try (var files = Files.list(out())) {
      assertEquals(first.written().size(), files.count(), "no half-written file is left");
    }
  }

  private static PreprocessReport.Split split(PreprocessReport report, String name) {
    var split = report.splits().get(name);
    assertNotNull(split);
    return split;
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @CsvSource({"4, 4_options/phrases_no_exclude_, ABCD", "5, '', ABCDE"})
  void readsTheSampleDataInBothForms(int options, String prefix, String letters) throws IOException {
    var report = new MedqaPreprocessor(SAMPLE, out(), options, 2000, 10).run(true, true);
    assertEquals(List.of(), report.notices());
    assertEquals(List.of(120, 20, 20),
        report.splits().values().stream().map(PreprocessReport.Split::rows).toList());
    assertEquals(new PreprocessReport.Duplicates(0, 0, 0), report.duplicates());
    for (String name : List.of("medqa_sft", "medqa_dev", "medqa_test")) {
      for (JsonNode row : rows(out().resolve(name + ".jsonl"))) {
        assertEquals(letters, row.path("letters").textValue());
        assertTrue(letters.contains(row.path("output").textValue()));
      }
    }
    assertTrue(Files.exists(SAMPLE.resolve("questions/US/" + prefix + "train.jsonl")));
    var text = report.textbooks();
    assertNotNull(text);
    assertEquals(18, text.books());
    int heldOut = rows(out().resolve("textbooks_heldout.jsonl")).size();
    assertEquals(text.heldOut(), heldOut);
    assertTrue(heldOut >= 1 && heldOut < text.sections() / 4, heldOut + " of " + text.sections());
    assertEquals(text.sections() - heldOut, rows(out().resolve("textbooks_pretrain.jsonl")).size());
    assertTrue(Files.readString(out().resolve("textbooks_heldout.txt")).length() > 100);
  }

  @Test
  void readsTheRealQuestionsInTheLayoutOfTheArchive() throws IOException {
    assumeTrue(Files.exists(REAL.resolve("train.jsonl")), "skipped: the real MedQA questions are not there: " + REAL);
    for (String split : List.of("train", "dev", "test")) {
      Path target = raw().resolve("questions/US/4_options/phrases_no_exclude_" + split + ".jsonl");
      Files.createDirectories(target.getParent());
      Files.copy(REAL.resolve(split + ".jsonl"), target);
    }
    file("questions/US/4_options/.DS_Store", "x");
    file("textbooks/en/._Anatomy.txt", "\0\0");
    file("textbooks/en/__MACOSX.txt", "x");
    file("textbooks/en/Anatomy.txt", "The heart has four chambers.\n\nThe liver has eight segments.");
    var report = new MedqaPreprocessor(raw(), out()).run(true, true);
    assertEquals(List.of(), report.notices());
    assertEquals(List.of(800, 100, 100),
        report.splits().values().stream().map(PreprocessReport.Split::rows).toList());
    assertEquals(0, report.duplicates().testInTrain());
    assertEquals(800, split(report, "train").answers().values().stream().mapToInt(Integer::intValue).sum());
    var text = report.textbooks();
    assertNotNull(text);
    assertEquals(1, text.books());
    var direct = new MedqaPreprocessor(REAL, folder.resolve("direct")).run(true, false);
    assertArrayEquals(bytes(out().resolve("medqa_test.jsonl")),
        bytes(folder.resolve("direct").resolve("medqa_test.jsonl")));
    assertEquals(split(report, "dev").answers(), split(direct, "dev").answers());
  }

  @Test
  void cleansAndSplitsTextAtParagraphs() throws IOException {
    file("Book.txt", "\uFEFFHead  \r\nline two\r\n\r\n\r\n\r\nhyphen-\nated\fnext page\n\n" + "x".repeat(30) + "\n");
    var book = Textbook.read(raw().resolve("Book.txt"), 100);
    assertEquals(List.of("Head\nline two\n\nhyphen-\nated\n\nnext page\n\n" + "x".repeat(30)), book.sections());
    var split = Textbook.read(raw().resolve("Book.txt"), 40);
    assertEquals(List.of("Head\nline two\n\nhyphen-\nated\n\nnext page", "x".repeat(30)), split.sections());
    assertEquals("Book", book.name());
  }

  @Test
  void splitsALongParagraphWhereASentenceEnds() throws IOException {
    file("Book.txt", "One two three four. Five six seven eight. Nine ten.\n");
    assertEquals(List.of("One two three four.", "Five six seven eight.", "Nine ten."),
        Textbook.read(raw().resolve("Book.txt"), 24).sections());
    file("Book.txt", "\uD83E\uDE7A".repeat(25));
    var sections = Textbook.read(raw().resolve("Book.txt"), 21).sections();
    assertEquals("\uD83E\uDE7A".repeat(25), String.join("", sections), "no character is torn apart");
    assertTrue(sections.stream().noneMatch(section -> Character.isLowSurrogate(section.charAt(0))));
  }

  @Test
  void holdsOutTheSameSectionsWhateverElseThereIs() throws IOException {
    for (int i = 0; i < 300; i++) {
      file("textbooks/en/B" + i + ".txt", "Text number " + i + ".");
    }
    var report = new MedqaPreprocessor(raw(), out(), 4, 4000, 10).run(false, true);
    var text = report.textbooks();
    assertNotNull(text);
    assertTrue(text.heldOut() > 15 && text.heldOut() < 50, "about a tenth: " + text.heldOut());
    var before = rows(out().resolve("textbooks_heldout.jsonl"));
    file("textbooks/en/A.txt", "One more book.");
    new MedqaPreprocessor(raw(), out(), 4, 4000, 10).run(false, true);
    var after = rows(out().resolve("textbooks_heldout.jsonl"));
    assertTrue(after.containsAll(before));
    var kept = rows(out().resolve("textbooks_pretrain.jsonl"));
    assertTrue(kept.stream().noneMatch(after::contains));
    assertFalse(Files.exists(out().resolve("medqa_sft.jsonl")));
  }

  @Test
  void oneSectionIsHeldOutOfFew() throws IOException {
    file("textbooks/en/A.txt", IntStream.range(0, 4).mapToObj(i -> "Paragraph " + i + " " + "y".repeat(90))
        .reduce("", (a, b) -> a + b + "\n\n"));
    var text = new MedqaPreprocessor(raw(), out(), 4, 110, 1_000_000).run(false, true).textbooks();
    assertNotNull(text);
    assertEquals(1, text.heldOut());
    assertEquals(4, text.sections());
  }

  @Test
  void damagedRowsNameFileAndLine() throws IOException {
    String train = raw().resolve("train.jsonl") + ":2: ";
    assertComplaint(train + "JSON syntax: Unexpected end-of-input: expected close marker for Object",
        "{\"question\":\"a\"");
    assertComplaint(train + "expected an object {...}, got a list of 1", "[1]");
    assertComplaint(train + "expected one object, got more text after it", ROW + ROW);
    assertComplaint(train + "\"question\": expected text, got nothing", "{}");
    assertComplaint(train + "\"answer\": expected text, got 3", ROW.replace("\"answer\": \"two\"", "\"answer\": 3"));
    assertComplaint(train + "question: expected text, got nothing but spaces", ROW.replace("Q\\n1é?", " "));
    assertComplaint(train + "options: expected an object {\"A\": ..., \"B\": ...}, got a list of 0",
        ROW.replaceAll("\\{\"B\".*?}", "[]"));
    assertComplaint(train + "\"D\": expected text, got nothing", ROW.replace("\"D\"", "\"E\""));
    assertComplaint(train + "options: expected 4, got 5; choose the number with --options",
        ROW.replace("\"D\": \"four\"", "\"D\": \"four\", \"E\": \"five\""));
    assertComplaint(train + "answer_idx: expected a letter from A to D, got the text \"E\"",
        ROW.replace("\"answer_idx\": \"B\"", "\"answer_idx\": \"E\""));
    assertComplaint(train + "JSON syntax: Duplicate field 'question'", ROW.replace("{\"question\"",
        "{\"question\":\"x\",\"question\""));
  }

  private void assertComplaint(String expected, String line) throws IOException {
    file("train.jsonl", ROW + "\n" + line + "\n");
    var thrown = assertThrows(JqloraException.class, () -> new MedqaPreprocessor(raw(), out()).run(true, false));
    assertEquals(Kind.DATA, thrown.kind());
    assertEquals(expected, thrown.getMessage());
    assertFalse(Files.exists(out()), "nothing is written");
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    assertEquals(raw() + " is no folder; expected one in MedQA's layout (questions/US, textbooks/en)",
        assertThrows(JqloraException.class, () -> new MedqaPreprocessor(raw(), out()).run(true, false)).getMessage());
    file("x.md", "x");
    assertEquals(raw() + " holds no questions with 4 options; expected "
        + "questions/US/4_options/phrases_no_exclude_train.jsonl or train.jsonl",
        assertThrows(JqloraException.class, () -> new MedqaPreprocessor(raw(), out()).run(true, false)).getMessage());
    assertEquals(raw() + " holds no textbooks; expected textbooks/en/*.txt",
        assertThrows(JqloraException.class, () -> new MedqaPreprocessor(raw(), out()).run(false, true)).getMessage());
    Files.write(raw().resolve("Book.txt"), new byte[]{'a', '\n', (byte) 0xff, '\n'});
    assertEquals(raw().resolve("Book.txt") + ":2: not UTF-8 text; convert the file to UTF-8",
        assertThrows(JqloraException.class, () -> new MedqaPreprocessor(raw(), out()).run(false, true)).getMessage());
    assertEquals("--options: expected 4 or 5, got 3",
        assertThrows(JqloraException.class, () -> new MedqaPreprocessor(raw(), out(), 3, 4000, 50)).getMessage());
  }
}
