package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LossPlotTest {
  @TempDir
  Path folder;

  private static List<LogEntry> history() {
    List<LogEntry> history = new ArrayList<>();
    for (int step = 1; step <= 40; step++) {
      history.add(new LogEntry.Step(step / 40.0, step, step == 7 ? Double.NaN : 3.0 / step, 1, 0));
    }
    history.add(new LogEntry.Evaluation(1, 40, new TreeMap<>(Map.of("eval_loss", 0.5))));
    return history;
  }

  @Test
  void drawsWhatThereIs() throws IOException {
    assertEquals(Optional.empty(), LossPlot.write(folder, history()));
    BufferedImage image = ImageIO.read(folder.resolve("training_loss.png").toFile());
    assertEquals(List.of(640, 480), List.of(image.getWidth(), image.getHeight()));
    int blue = 0;
    for (int pixel : image.getRGB(0, 0, 640, 480, null, 0, 640)) {
      blue += (pixel & 0xff) > (pixel >> 16 & 0xff) + 60 ? 1 : 0;
    }
    assertTrue(blue > 300, blue + " pixels of the lines");
    assertTrue(Files.exists(folder.resolve("training_eval_loss.png")));
    assertFalse(Files.exists(folder.resolve("training_eval_accuracy.png")));
  }

  /** LLaMA-Factory's names with eval_on_each_dataset. */
  @Test
  void eachEvaluationSetHasPlotsOfItsOwn() {
    List<LogEntry> history = List.of(new LogEntry.Evaluation(1, 40,
        new TreeMap<>(Map.of("eval_a/b_loss", 0.5, "eval_c_accuracy", 0.5, "eval_c_runtime", 1.0))));
    assertEquals(Optional.empty(), LossPlot.write(folder, history));
    assertEquals(Set.of("training_eval_a_b_loss.png", "training_eval_c_accuracy.png"),
        Arrays.stream(Objects.requireNonNull(folder.toFile().list())).collect(Collectors.toSet()));
    assertTrue(LossPlot.isPlot("training_eval_a_b_loss.png"));
    assertFalse(LossPlot.isPlot("training_curves.png"));
  }

  @Test
  void aPlotThatCannotBeWrittenIsNoMatterOfFonts() throws IOException {
    Files.createDirectories(folder.resolve("training_loss.png/x"));
    String reason = LossPlot.write(folder, history()).orElseThrow();
    assertTrue(reason.contains("cannot write") && !reason.contains("font"), reason);
  }

  @Test
  void drawsNothingOfNothing() {
    assertEquals(Optional.empty(), LossPlot.write(folder, List.of()));
    assertFalse(Files.exists(folder.resolve("training_loss.png")));
  }

  /** The weight for two values is 1.8 · (σ(0.1) − 0.5) = 0.0449625... */
  @Test
  void smoothsFromTheFirstValueOn() {
    List<Double> smoothed = LossPlot.smoothed(List.of(2.0, 4.0));
    assertEquals(2.0, smoothed.getFirst(), 1e-12);
    assertEquals(4 - 2 * 0.044962538, smoothed.getLast(), 1e-8);
  }

  @Test
  void wherePlotsCannotBeDrawnThatIsAReasonAndNoFailure() throws IOException, InterruptedException {
    Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--limit-modules", "java.base,java.logging", "-cp", System.getProperty("java.class.path"), WithoutAwt.class
            .getName(),
        folder.toString()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    assertTrue(output.startsWith("plots are not drawn: "), output);
    assertEquals(1, output.lines().count(), output);
  }

  /** Draws in a process of its own, whose runtime has no java.desktop. */
  static final class WithoutAwt {
    private WithoutAwt() {}

    public static void main(String[] arguments) {
      System.out.println(LossPlot.write(Path.of(arguments[0]), history()).orElse("drawn"));
    }
  }
}
