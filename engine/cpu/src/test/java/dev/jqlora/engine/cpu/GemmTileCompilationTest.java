package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whether Java's optimizing compiler surely takes all reads of a tile into its loop (see {@link GemmTile}): beyond 18,000 nodes
 * of its graph it may leave a part of a read out, and each step of the sum then calls it.
 */
class GemmTileCompilationTest {
  /** Nodes when the last read has been taken in: what the compiler knows of the program moves it by hundreds. */
  private static final int MOST_NODES = 17_500;

  private static final Pattern METHOD = Pattern.compile("<method id='(\\d+)' .*?name='([^']+)'");
  private static final Pattern PARSE = Pattern.compile("<parse method='(\\d+)'");
  private static final Pattern PARSED = Pattern.compile("<parse_done nodes='(\\d+)'");

  @Test
  void allReadsAreTakenInWellBeforeTheLimit(@TempDir Path folder) throws IOException, InterruptedException {
    Path log = folder.resolve("compilation.log");
    JavaProcess.run(Program.class, JavaProcess.SAME_VECTORS, "--enable-native-access=ALL-UNNAMED", "-Xbatch",
        "-XX:+UnlockDiagnosticVMOptions", "-XX:+LogCompilation", "-XX:LogFile=" + log);
    List<Integer> last = nodesAfterTheLastRead(Files.readAllLines(log));
    assertFalse(last.isEmpty(), "the tile was not compiled");
    assertTrue(last.stream().allMatch(nodes -> nodes > 0 && nodes <= MOST_NODES), () -> "nodes of the graph: " + last);
  }

  /** One number for each time that the optimizing compiler compiled the tile three vectors wide, but for loops under way. */
  private static List<Integer> nodesAfterTheLastRead(List<String> log) {
    String tile = "GemmTile " + (GemmTile.ROWS == 8 ? "eightByThree" : "fourByThree");
    Map<String, String> names = new HashMap<>();
    Deque<String> open = new ArrayDeque<>();
    List<Integer> result = new ArrayList<>();
    boolean within = false;
    int nodes = 0;
    for (String line : log) {
      if (line.startsWith("<task ")) {
        within = line.contains(tile) && !line.contains(" level='") && !line.contains("compile_kind='osr'");
        open.clear();
        nodes = 0;
      }
      if (!within) {
        continue;
      }
      Matcher method = METHOD.matcher(line);
      Matcher parse = PARSE.matcher(line);
      Matcher parsed = PARSED.matcher(line);
      if (method.lookingAt()) {
        names.put(method.group(1), method.group(2));
      } else if (parse.lookingAt()) {
        open.push(names.getOrDefault(parse.group(1), ""));
      } else if (parsed.lookingAt()) {
        String name = open.pop();
        if (open.size() == 1 && name.equals("get")) {
          nodes = Integer.parseInt(parsed.group(1));
        } else if (open.isEmpty()) {
          result.add(nodes);
          within = false;
        }
      }
    }
    return result;
  }

  /** Multiplies tiles. */
  static final class Program {
    private static final int DEPTH = 1024;

    private Program() {}

    public static void main(String[] arguments) {
      DeviceMemory.Region memory = new DeviceMemory().region();
      MemorySegment a = memory.allocate((long) DEPTH * GemmTile.ROWS * Float.BYTES);
      MemorySegment b = memory.allocate((long) DEPTH * GemmTile.COLUMNS * Float.BYTES);
      MemorySegment tile = memory.allocate((long) GemmTile.SIZE * Float.BYTES);
      int read = 0;
      for (int i = 0; i < 50_000; i++) {
        read += GemmTile.multiply(a, 0, b, 0, DEPTH, GemmTile.COLUMNS, tile, 0, 0);
      }
      System.out.println("read " + read);
    }
  }
}
