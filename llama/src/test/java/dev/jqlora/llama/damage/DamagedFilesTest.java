package dev.jqlora.llama.damage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.llama.files.SharedData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DamagedFilesTest {
  @TempDir
  Path folder;

  @Test
  void eachEndsInOneLineWithinASmallHeap() throws IOException, InterruptedException {
    Path model = SharedData.path("stories260K");
    Path output = folder.resolve("output.txt");
    Process process = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Xmx256m", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
        DamagedFiles.class.getName(), model.toString(), Files.createDirectory(folder.resolve("damaged")).toString()))
        .redirectErrorStream(true).redirectOutput(output.toFile()).start();
    int exit = process.waitFor();
    String text = Files.readString(output, StandardCharsets.UTF_8);
    assertEquals(0, exit, text);
    Matcher summary = Pattern.compile("refused (\\d+), harmless (\\d+), failures (\\d+)\\n$").matcher(text);
    assertTrue(summary.find(), text);
    assertEquals("0", summary.group(3), text);
    assertTrue(Integer.parseInt(summary.group(1)) >= 600, text);
  }
}
