package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.BlockwiseAdamW;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whether Java's optimizing compiler surely takes all methods into a loop that calls them: beyond 18,000 nodes of its graph it
 * leaves out those that the JDK does not demand, which are this project's and, of the JDK's, one within each read of a number.
 * Each turn of the loop then calls them, and vectors that pass to them are objects.
 */
class CompilationLimitTest {
  /** Nodes when the last such method has been taken in: what the compiler knows of the program moves it by hundreds. */
  private static final int MOST_NODES = 17_500;

  private static final Pattern OWN_CLASS = Pattern.compile("<klass id='(\\d+)' name='dev.jqlora[^']+'");
  private static final Pattern METHOD = Pattern.compile("<method id='(\\d+)' holder='(\\d+)' name='([^']+)'");
  private static final Pattern PARSE = Pattern.compile("<parse method='(\\d+)'");
  private static final Pattern PARSED = Pattern.compile("<parse_done nodes='(\\d+)'");
  private static final String LEFT_OUT = "<inline_fail reason='NodeCountInliningCutoff'";

  @TempDir
  Path folder;

  @Test
  void tile() throws IOException, InterruptedException {
    check(Tiles.class, "GemmTile " + (GemmTile.ROWS == 8 ? "eightByThree" : "fourByThree"));
  }

  @Test
  void updateOfAdamW() throws IOException, InterruptedException {
    check(AdamWSteps.class, "AdamW8bitKernel$Blocks update");
  }

  private void check(Class<?> program, String method) throws IOException, InterruptedException {
    Path log = folder.resolve("compilation.log");
    JavaProcess.run(program, JavaProcess.SAME_VECTORS, "--enable-native-access=ALL-UNNAMED", "-Xbatch",
        "-XX:+UnlockDiagnosticVMOptions", "-XX:+LogCompilation", "-XX:LogFile=" + log);
    List<Integer> nodes = nodesAfterOptionalMethods(Files.readAllLines(log), method);
    assertFalse(nodes.isEmpty(), method + " was not compiled");
    assertTrue(nodes.stream().allMatch(count -> count > 0 && count <= MOST_NODES),
        () -> "nodes of the graph, or more where a method was left out: " + nodes);
  }

  /**
   * How many nodes there are when a method has taken in the last of the methods that may be left out, or more than any limit
   * where one was; one number for each time that the optimizing compiler compiled it, but for loops under way.
   */
  private static List<Integer> nodesAfterOptionalMethods(List<String> log, String compiled) {
    Set<String> ownClasses = new HashSet<>();
    Set<String> optional = new HashSet<>();
    Deque<String> open = new ArrayDeque<>();
    List<Integer> result = new ArrayList<>();
    boolean within = false;
    int nodes = 0;
    for (String line : log) {
      if (line.startsWith("<task ")) {
        within = line.contains(compiled + " ") && !line.contains(" level='") && !line.contains("compile_kind='osr'");
        open.clear();
        ownClasses.clear();
        optional.clear();
        nodes = 0;
      }
      if (!within) {
        continue;
      }
      Matcher ownClass = OWN_CLASS.matcher(line);
      Matcher method = METHOD.matcher(line);
      Matcher parse = PARSE.matcher(line);
      Matcher parsed = PARSED.matcher(line);
      if (ownClass.lookingAt()) {
        ownClasses.add(ownClass.group(1));
      } else if (method.lookingAt() && (ownClasses.contains(method.group(2)) || method.group(3).equals("get"))) {
        optional.add(method.group(1));
      } else if (parse.lookingAt()) {
        open.push(parse.group(1));
      } else if (parsed.lookingAt()) {
        boolean wanted = optional.contains(open.pop());
        if (open.size() == 1 && wanted && nodes < Integer.MAX_VALUE) {
          nodes = Integer.parseInt(parsed.group(1));
        } else if (open.isEmpty()) {
          result.add(nodes);
          within = false;
        }
      } else if (line.startsWith(LEFT_OUT)) {
        nodes = Integer.MAX_VALUE;
      }
    }
    return result;
  }

  /** Multiplies tiles. */
  static final class Tiles {
    private static final int DEPTH = 1024;

    private Tiles() {}

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

  /** Steps of a parameter. */
  static final class AdamWSteps {
    private static final int SIZE = 64 * Blockwise8bit.BLOCK;

    private AdamWSteps() {}

    public static void main(String[] arguments) {
      DeviceMemory.Region memory = new DeviceMemory().region();
      AdamW8bitKernel.State state = new AdamW8bitKernel.State(memory.allocate(SIZE * 4L), memory.allocate(SIZE * 4L),
          memory.allocate(SIZE), memory.allocate(Blockwise8bit.blocks(SIZE) * 4L), memory.allocate(SIZE),
          memory.allocate(Blockwise8bit.blocks(SIZE) * 4L), 1, SIZE);
      FloatMemory.fill(state.gradient(), 0, SIZE, 1e-3f);
      BlockwiseAdamW.Coefficients coefficients = BlockwiseAdamW.Coefficients.of(1e-4, 0.9, 0.999, 1e-8, 0, 1);
      Workers workers = new Workers(1);
      long skipped = 0;
      for (int i = 0; i < 1000; i++) {
        skipped += AdamW8bitKernel.step(workers, state, 1f, coefficients);
      }
      System.out.println("left alone " + skipped);
    }
  }
}
