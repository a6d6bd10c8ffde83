package dev.jqlora.training.preprocess;

import dev.jqlora.training.files.LineReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A textbook in sections. Cleaning is slight: line ends become "\n", a form feed becomes the end of a paragraph, spaces
 * at line ends and more than one blank line go. Words broken by a hyphen, running heads and page numbers stay: taking
 * them out would need to guess.
 *
 * @param name the file's name without {@code .txt}
 */
record Textbook(String name, List<String> sections) {
  /**
   * Reads a book and splits it where paragraphs end.
   *
   * @param maxCharacters longest section; a paragraph that is longer by itself is split where lines or sentences end
   */
  static Textbook read(Path file, int maxCharacters) {
    String fileName = String.valueOf(file.getFileName());
    var sections = new Sections(maxCharacters);
    for (String paragraph : paragraphs(file)) {
      sections.add(paragraph);
    }
    return new Textbook(fileName.substring(0, fileName.length() - ".txt".length()), sections.finish());
  }

  /** Blocks of lines between blank lines. */
  private static List<String> paragraphs(Path file) {
    var paragraphs = new ArrayList<String>();
    var current = new StringBuilder();
    try (var lines = new LineReader(file)) {
      for (String line = lines.next(); line != null; line = lines.next()) {
        String[] pages = line.split("\f", -1);
        for (int i = 0; i < pages.length; i++) {
          boolean newPage = i > 0;
          if (newPage || pages[i].isBlank()) {
            flush(current, paragraphs);
          }
          if (!pages[i].isBlank()) {
            current.append(current.isEmpty() ? "" : "\n").append(pages[i].stripTrailing());
          }
        }
      }
    }
    flush(current, paragraphs);
    return paragraphs;
  }

  private static void flush(StringBuilder current, List<String> paragraphs) {
    if (!current.isEmpty()) {
      paragraphs.add(current.toString());
      current.setLength(0);
    }
  }

  /** Fills sections with paragraphs, in order. */
  private static final class Sections {
    private static final String PARAGRAPH_END = "\n\n";

    private final int maxCharacters;
    private final List<String> done = new ArrayList<>();
    private final StringBuilder current = new StringBuilder();

    Sections(int maxCharacters) {
      this.maxCharacters = maxCharacters;
    }

    void add(String paragraph) {
      int joined = current.length() + PARAGRAPH_END.length() + paragraph.length();
      if (!current.isEmpty() && joined > maxCharacters) {
        flush(current, done);
      }
      current.append(current.isEmpty() ? "" : PARAGRAPH_END);
      String rest = paragraph;
      while (rest.length() > maxCharacters) {
        int end = splitPoint(rest);
        current.append(rest, 0, end);
        flush(current, done);
        rest = rest.substring(end).strip();
      }
      current.append(rest);
    }

    /** The last end of a line, else of a sentence, else of a word, within the limit; else the limit. */
    private int splitPoint(String text) {
      int half = maxCharacters / 2;
      for (String border : List.of("\n", ". ", " ")) {
        int at = text.lastIndexOf(border, maxCharacters - border.length());
        if (at >= half) {
          return at + border.stripTrailing().length();
        }
      }
      return Character.isHighSurrogate(text.charAt(maxCharacters - 1)) ? maxCharacters - 1 : maxCharacters;
    }

    List<String> finish() {
      flush(current, done);
      return List.copyOf(done);
    }
  }
}
