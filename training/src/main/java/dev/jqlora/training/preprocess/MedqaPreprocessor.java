package dev.jqlora.training.preprocess;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.TextFiles;
import dev.jqlora.training.preprocess.PreprocessReport.Duplicates;
import dev.jqlora.training.preprocess.PreprocessReport.Split;
import dev.jqlora.training.preprocess.PreprocessReport.Textbooks;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Makes the datasets of both stages from MedQA's files. The same input gives the same bytes. All input is read before
 * anything is written, and each file appears whole.
 *
 * @param raw folder in MedQA's layout
 * @param output folder for the datasets and {@code dataset_info.json}
 * @param optionCount 4 or 5 options per question
 * @param sectionCharacters longest section of a textbook, one row of the pre-training set
 * @param heldOutEvery one section in so many is held out for perplexity, chosen by the hash of its text
 */
public record MedqaPreprocessor(Path raw, Path output, int optionCount, int sectionCharacters, int heldOutEvery) {
  /** Sections are about one block of 1,024 tokens. */
  public static final int SECTION_CHARACTERS = 4_000;
  /** Two in a hundred sections are held out. */
  public static final int HELD_OUT_EVERY = 50;

  private static final long MAX_INFO_BYTES = 16 << 20;
  private static final List<String> SPLITS = List.of("train", "dev", "test");
  private static final Pattern NOT_LETTER_OR_DIGIT = Pattern.compile("[^\\p{L}\\p{Nd}]+");

  public MedqaPreprocessor {
    if (optionCount != 4 && optionCount != 5) {
      throw new JqloraException(Kind.USAGE, "--options: expected 4 or 5, got " + optionCount);
    }
    if (sectionCharacters < 100) {
      throw new JqloraException(Kind.USAGE,
          "--section-characters: expected at least 100, got " + sectionCharacters);
    }
    if (heldOutEvery < 2) {
      throw new JqloraException(Kind.USAGE, "--held-out-every: expected at least 2, got " + heldOutEvery);
    }
  }

  /** Four options, sections and held-out share by default. */
  public MedqaPreprocessor(Path raw, Path output) {
    this(raw, output, 4, SECTION_CHARACTERS, HELD_OUT_EVERY);
  }

  /**
   * Makes the question datasets, the text datasets, or both.
   *
   * @throws JqloraException {@code DATA} with file and line for malformed input, {@code IO} where what was asked for is
   *   not there
   */
  public PreprocessReport run(boolean questions, boolean textbooks) {
    var layout = new RawLayout(raw);
    ObjectNode info = existingInfo();
    Map<String, QuestionFile> splits = questions ? readQuestions(layout) : Map.of();
    List<Textbook> books = textbooks ? readTextbooks(layout) : List.of();
    var writing = new Writing(output, info);
    var splitReports = new LinkedHashMap<String, Split>();
    splits.forEach((split, file) -> splitReports.put(split, writing.questions(split, file)));
    Textbooks textReport = textbooks ? writing.textbooks(books, heldOutEvery) : null;
    writing.info();
    return new PreprocessReport(splitReports, duplicates(splits), textReport, notices(splits),
        List.copyOf(writing.written));
  }

  private Map<String, QuestionFile> readQuestions(RawLayout layout) {
    var splits = new LinkedHashMap<String, QuestionFile>();
    for (String split : SPLITS) {
      Path file = layout.questions(split, optionCount);
      if (file != null) {
        splits.put(split, QuestionFile.read(file, Set.of(optionCount)));
      }
    }
    if (!splits.containsKey("train")) {
      throw new JqloraException(Kind.IO, raw + " holds no questions with " + optionCount + " options; expected "
          + (optionCount == 4 ? "questions/US/4_options/phrases_no_exclude_train.jsonl" : "questions/US/train.jsonl")
          + " or train.jsonl");
    }
    return splits;
  }

  private List<Textbook> readTextbooks(RawLayout layout) {
    List<Path> files = layout.textbooks();
    if (files.isEmpty()) {
      throw new JqloraException(Kind.IO, raw + " holds no textbooks; expected textbooks/en/*.txt");
    }
    List<Textbook> books = files.stream().map(file -> Textbook.read(file, sectionCharacters)).toList();
    if (books.stream().allMatch(book -> book.sections().isEmpty())) {
      throw new JqloraException(Kind.DATA, files.getFirst().getParent() + ": the textbooks hold no text");
    }
    return books;
  }

  private ObjectNode existingInfo() {
    Path file = output.resolve("dataset_info.json");
    return Files.exists(file)
        ? Json.object(TextFiles.read(file, MAX_INFO_BYTES, Kind.DATA), file.toString())
        : Json.MAPPER.createObjectNode();
  }

  private static List<String> notices(Map<String, QuestionFile> splits) {
    var notices = new ArrayList<String>();
    splits.forEach((split, file) -> {
      if (!file.rejected().isEmpty()) {
        notices
            .add(split + ": " + file.rejected().size() + " rows that contradict themselves were left out, the first: "
                + file.rejected().getFirst());
      }
    });
    for (String split : SPLITS) {
      if (!splits.isEmpty() && !splits.containsKey(split)) {
        notices.add(split + ": the raw folder has no such split");
      }
    }
    return List.copyOf(notices);
  }

  private static Duplicates duplicates(Map<String, QuestionFile> splits) {
    return new Duplicates(common(splits.get("test"), splits.get("train")),
        common(splits.get("dev"), splits.get("train")), common(splits.get("test"), splits.get("dev")));
  }

  private static int common(@Nullable QuestionFile questions, @Nullable QuestionFile others) {
    if (questions == null || others == null) {
      return 0;
    }
    Set<String> known = others.questions().stream().map(MedqaPreprocessor::fingerprint).collect(Collectors.toSet());
    return (int) questions.questions().stream().filter(question -> known.contains(fingerprint(question))).count();
  }

  /** Hash of the question's letters and digits. */
  private static String fingerprint(MedqaQuestion question) {
    return hash(NOT_LETTER_OR_DIGIT.matcher(question.question().toLowerCase(Locale.ROOT)).replaceAll(""));
  }

  private static String hash(String text) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  /** Writes datasets and collects their descriptions. */
  private static final class Writing {
    private final Path output;
    private final ObjectNode info;
    private final List<Path> written = new ArrayList<>();

    Writing(Path output, ObjectNode info) {
      this.output = output;
      this.info = info;
    }

    Split questions(String split, QuestionFile file) {
      String name = split.equals("train") ? "medqa_sft" : "medqa_" + split;
      var answers = new TreeMap<String, Integer>();
      var rows = new ArrayList<ObjectNode>();
      for (MedqaQuestion question : file.questions()) {
        answers.merge(question.answerLetter(), 1, Integer::sum);
        rows.add(Json.MAPPER.createObjectNode().put("instruction", MedqaQuestion.INSTRUCTION)
            .put("input", question.text()).put("output", question.answerLetter()).put("letters", question.letters()));
      }
      Path path = rows(name, rows);
      describe(name, Map.of("prompt", "instruction", "query", "input", "response", "output"));
      return new Split(path, rows.size(), file.rejected().size(), answers);
    }

    Textbooks textbooks(List<Textbook> books, int heldOutEvery) {
      var heldOutTexts = heldOut(books, heldOutEvery);
      var kept = new ArrayList<ObjectNode>();
      var heldOut = new ArrayList<ObjectNode>();
      var plain = new StringBuilder();
      long characters = 0;
      for (Textbook book : books) {
        for (String section : book.sections()) {
          characters += section.length();
          boolean held = heldOutTexts.contains(section);
          (held ? heldOut : kept).add(Json.MAPPER.createObjectNode().put("text", section).put("source", book.name()));
          if (held) {
            plain.append(plain.isEmpty() ? "" : "\n\n").append(section);
          }
        }
      }
      rows("textbooks_pretrain", kept);
      rows("textbooks_heldout", heldOut);
      Path text = output.resolve("textbooks_heldout.txt");
      AtomicFile.write(text, plain.append('\n').toString());
      written.add(text);
      describe("textbooks_pretrain", Map.of("prompt", "text"));
      describe("textbooks_heldout", Map.of("prompt", "text"));
      return new Textbooks(books.size(), kept.size() + heldOut.size(), heldOut.size(), characters);
    }

    /** The sections whose hash is a multiple of {@code every}; one where there is none among several. */
    private static Set<String> heldOut(List<Textbook> books, int every) {
      List<String> sections = books.stream().flatMap(book -> book.sections().stream()).distinct().toList();
      Set<String> chosen = sections.stream()
          .filter(section -> Long.parseUnsignedLong(hash(section).substring(0, 15), 16) % every == 0)
          .collect(Collectors.toSet());
      return chosen.isEmpty() && sections.size() > 1
          ? Set.of(sections.stream().min(Comparator.comparing(MedqaPreprocessor::hash)).orElseThrow())
          : chosen;
    }

    private Path rows(String name, List<ObjectNode> rows) {
      Path file = output.resolve(name + ".jsonl");
      AtomicFile.write(file, rows.stream().map(row -> row + "\n").collect(Collectors.joining()));
      written.add(file);
      return file;
    }

    private void describe(String name, Map<String, String> columns) {
      ObjectNode entry = Json.MAPPER.createObjectNode().put("file_name", name + ".jsonl");
      new TreeMap<>(columns).forEach(entry.putObject("columns")::put);
      info.set(name, entry);
    }

    void info() {
      Path file = output.resolve("dataset_info.json");
      AtomicFile.write(file, info.toPrettyString() + "\n");
      written.add(file);
    }
  }
}
