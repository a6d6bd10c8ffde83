package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that does nothing but save is killed again and again; what it leaves is always whole. */
class KilledSaveTest {
  private static final int KILLS = 6;
  private static final int MOST_SAVES_BEFORE_A_KILL = 12;

  @TempDir
  Path outputDir;

  @Test
  void killedAtAnyMomentTheNewestSaveIsWhole() throws IOException, InterruptedException {
    Random random = new Random(42);
    for (int kill = 0; kill < KILLS; kill++) {
      int reported = saveUntilKilled(1 + random.nextInt(MOST_SAVES_BEFORE_A_KILL), random.nextInt(20));
      Checkpoints checkpoints = new Checkpoints(outputDir);
      checkpoints.repair();
      List<String> notices = new ArrayList<>();
      SavedRun newest = checkpoints.newest(notices::add).orElseThrow();
      assertEquals(List.of(), notices);
      int step = newest.trainer().globalStep();
      assertTrue(step >= reported, "step %d was saved, the newest is %d".formatted(reported, step));
      try (TinyRun run = new TinyRun(0)) {
        run.load(newest.folder());
        assertEquals(Saver.value(step), run.value());
      }
      assertTrue(checkpoints.folders().size() <= 3, checkpoints.folders().toString());
    }
  }

  /** Starts a process that saves and kills it some time after so many saves; returns the last step that it reported. */
  private int saveUntilKilled(int saves, int millisecondsMore) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), Saver.class.getName(),
        outputDir.toString()).redirectErrorStream(true).start();
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8)) {
      int last = 0;
      for (int i = 0; i < saves; i++) {
        last = Integer.parseInt(String.valueOf(output.readLine()));
      }
      Thread.sleep(millisecondsMore);
      return last;
    } finally {
      process.destroyForcibly().waitFor();
    }
  }

  /** Goes on from the newest checkpoint, saving at every step. */
  static final class Saver {
    private Saver() {}

    static int value(int step) {
      return step % 100;
    }

    public static void main(String[] arguments) {
      Checkpoints checkpoints = new Checkpoints(Path.of(arguments[0]));
      checkpoints.repair();
      int step = checkpoints.newest(_ -> {
      }).map(saved -> saved.trainer().globalStep()).orElse(0);
      while (true) {
        step++;
        try (TinyRun run = new TinyRun(value(step))) {
          checkpoints.rotate(2, run.save(checkpoints, step), Optional.empty());
        }
        System.out.println(step);
      }
    }
  }
}
