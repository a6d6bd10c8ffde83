package dev.jqlora.training.preprocess;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Where the files of MedQA stand in a raw folder: the unpacked archive, one of its inner folders, or a plain folder. */
record RawLayout(Path root) {
  RawLayout {
    if (!Files.isDirectory(root)) {
      throw new JqloraException(Kind.IO,
          root + " is no folder; expected one in MedQA's layout (questions/US, textbooks/en)");
    }
  }

  /** The file of a split ({@code train}, {@code dev} or {@code test}), or null where there is none. */
  @Nullable
  Path questions(String split, int optionCount) {
    String plain = split + ".jsonl";
    String phrases = "phrases_no_exclude_" + split + ".jsonl";
    List<String> places = optionCount == 4
        ? List.of("questions/US/4_options/" + phrases, "US/4_options/" + phrases, "4_options/" + phrases, phrases,
            plain)
        : List.of("questions/US/" + plain, "US/" + plain, plain);
    return places.stream().map(root::resolve).filter(Files::isRegularFile).findFirst().orElse(null);
  }

  /** The textbooks, by name; empty where there are none. */
  List<Path> textbooks() {
    return Stream.of("textbooks/en", "textbooks", "en", ".").map(root::resolve).map(RawLayout::texts)
        .filter(files -> !files.isEmpty()).findFirst().orElse(List.of());
  }

  /** Text files of a folder, without those that an archive of another system adds. */
  private static List<Path> texts(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (var entries = Files.list(folder)) {
      return entries.filter(Files::isRegularFile).map(Path::normalize).filter(RawLayout::isText).sorted().toList();
    } catch (IOException e) {
      throw FileErrors.cannotRead(folder, e);
    }
  }

  private static boolean isText(Path file) {
    String name = String.valueOf(file.getFileName());
    return name.endsWith(".txt") && !name.startsWith(".") && !name.startsWith("__MACOSX");
  }
}
