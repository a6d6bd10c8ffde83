package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.training.files.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ResultLogTest {
  private static final String LINES = "{\"i\":0}\n{\"i\":1}\n{\"i\":2}\n";

  @TempDir
  Path folder;

  private static ObjectNode line(int i) {
    return Json.MAPPER.createObjectNode().put("i", i);
  }

  private ResultLog open() {
    return ResultLog.open(folder.resolve("new/log.jsonl"), (i, line) -> line.path("i").asInt(-1) == i);
  }

  private String text() throws IOException {
    return Files.readString(folder.resolve("new/log.jsonl"));
  }

  @Test
  void linesAreFoundAgain() throws IOException {
    try (ResultLog log = open()) {
      assertEquals(0, log.earlier().size());
      log.append(line(0), line(1));
      log.append(line(2));
    }
    assertEquals(LINES, text());
    try (ResultLog log = open()) {
      assertEquals(3, log.earlier().size());
    }
    assertEquals(LINES, text());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {"{'i':0}_{'i':1|1", "{'i':0}_{'i':1}|1",
      "{'i':0}_{'i':2}_|1", "{'i':0}_nonsense_{'i':1}_|1",
      "{'i':0}_{'i':1}_{'i':2}_{'i':3}|3", "_|0", "[]_|0"})
  void whatFollowsDamageIsDropped(String damaged, int kept) throws IOException {
    Files.createDirectories(folder.resolve("new"));
    Files.writeString(folder.resolve("new/log.jsonl"), damaged.replace('\'', '"').replace('_', '\n'));
    try (ResultLog log = open()) {
      assertEquals(kept, log.earlier().size());
      for (int i = kept; i < 3; i++) {
        log.append(line(i));
      }
    }
    assertEquals(LINES, text());
  }

  @Test
  void bytesThatAreNoTextAreDropped() throws IOException {
    Files.createDirectories(folder.resolve("new"));
    Files.write(folder.resolve("new/log.jsonl"), new byte[]{(byte) 0xFF, (byte) 0xFE, '\n', 0, '\n'});
    try (ResultLog log = open()) {
      assertEquals(0, log.earlier().size());
    }
    assertEquals("", text());
  }
}
