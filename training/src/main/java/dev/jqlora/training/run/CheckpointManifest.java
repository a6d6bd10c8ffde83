package dev.jqlora.training.run;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.CRC32C;

/**
 * {@code jqlora_state.json}, written last into a checkpoint: every other file of it with its {@link FileMark}, and the
 * state to resume from. Its content carries a checksum of its own, so a checkpoint is known to be whole and unchanged.
 *
 * @param files by name; a checkpoint has no folders in it
 * @param resume absent where the checkpoint holds the model only
 */
record CheckpointManifest(SortedMap<String, FileMark> files, Optional<ResumeState> resume) {
  static final String FILE = "jqlora_state.json";

  private static final int FORMAT = 1;

  CheckpointManifest {
    files = Collections.unmodifiableSortedMap(new TreeMap<>(files));
  }

  /** Reads the files that are in a folder now. */
  static CheckpointManifest of(Path folder, Optional<ResumeState> resume) {
    SortedMap<String, FileMark> files = new TreeMap<>();
    names(folder).forEach(name -> files.put(name, FileMark.of(folder.resolve(name))));
    return new CheckpointManifest(files, resume);
  }

  /** The names in a folder, that of the manifest aside. */
  private static Set<String> names(Path folder) {
    Set<String> names = new TreeSet<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
      entries.forEach(entry -> names.add(entry.getFileName().toString()));
    } catch (IOException e) {
      throw FileErrors.cannotRead(folder, e);
    }
    names.remove(FILE);
    return names;
  }

  void write(Path folder) {
    ObjectNode content = JsonNodeFactory.instance.objectNode();
    ObjectNode marks = content.putObject("files");
    files.forEach((name, mark) -> marks.putObject(name).put("bytes", mark.bytes()).put("crc32c", mark.crc32c()));
    resume.ifPresent(state -> content.set("resume", state.toJson()));
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("format", FORMAT);
    json.put("crc32c", checksum(content));
    json.set("content", content);
    AtomicFile.write(folder.resolve(FILE), JsonObject.pretty(json));
  }

  private static String checksum(ObjectNode content) {
    CRC32C checksum = new CRC32C();
    checksum.update(content.toString().getBytes(StandardCharsets.UTF_8));
    return FileMark.hexadecimal(checksum);
  }

  /** Reads the manifest of a checkpoint, without looking at the other files. */
  static CheckpointManifest read(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new JqloraException(Kind.MODEL, "%s is no folder; expected a checkpoint-N of a run".formatted(folder));
    }
    if (!Files.exists(folder.resolve(FILE))) {
      throw new JqloraException(Kind.MODEL, "%s has no %s, so it is no checkpoint that this program wrote whole"
          .formatted(folder, FILE));
    }
    JsonObject json = JsonObject.read(folder.resolve(FILE));
    if (json.intValue("format", 0) != FORMAT) {
      throw json.wrong("format", "%d (was it written by another version?)".formatted(FORMAT));
    }
    JsonObject content = json.object("content").orElseThrow(() -> json.wrong("content", "an object"));
    if (!json.text("crc32c").equals(checksum(content.node()))) {
      throw json.error("its content does not match its checksum; the file was damaged or edited");
    }
    SortedMap<String, FileMark> files = new TreeMap<>();
    JsonObject marks = content.object("files").orElseThrow(() -> content.wrong("files", "an object"));
    marks.fields().forEach(field -> {
      JsonObject mark = marks.object(field.getKey()).orElseThrow(() -> marks.wrong(field.getKey(), "an object"));
      files.put(field.getKey(), new FileMark(mark.count("bytes"), mark.text("crc32c")));
    });
    return new CheckpointManifest(files, content.object("resume").map(ResumeState::of));
  }

  /** Makes sure that every file is there, as it was written. */
  void checkFiles(Path folder) {
    files.forEach((name, mark) -> {
      Path file = folder.resolve(name);
      if (!Files.isRegularFile(file)) {
        throw new JqloraException(Kind.MODEL, "%s lacks its file %s; the checkpoint is not whole".formatted(folder,
            quoted(name)));
      }
      FileMark now = FileMark.of(file);
      if (!now.equals(mark)) {
        throw new JqloraException(Kind.MODEL, now.bytes() == mark.bytes()
            ? "%s is not what was saved (checksum %s, expected %s); the file was damaged or edited".formatted(file, now
                .crc32c(), mark.crc32c())
            : "%s has %d bytes, %d were saved; the file was cut or replaced".formatted(file, now.bytes(), mark
                .bytes()));
      }
    });
  }

  /** Whether a folder holds nothing but what a save put there, so that it may be deleted. */
  static boolean isAllOf(Path folder) {
    try {
      return !Files.isSymbolicLink(folder) && read(folder).files().keySet().containsAll(names(folder));
    } catch (JqloraException _) {
      return false;
    }
  }
}
