package dev.jqlora.training.run;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import java.awt.Color;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * {@code training_loss.png}, {@code training_eval_loss.png} and {@code training_eval_accuracy.png}: each figure of the
 * log history over the steps, as it was and smoothed. Of several evaluation sets each has plots of its own,
 * {@code training_eval_NAME_loss.png}.
 */
public final class LossPlot {
  /** 6.4 by 4.8 inches at 100 dpi. */
  private static final int WIDTH = 640;
  private static final int HEIGHT = 480;
  /** The blue of the lines. */
  private static final int RED_GREEN_BLUE = 0x1f77b4;
  private static final int OPACITY_OF_ORIGINAL = 102;

  private static final Pattern FIGURE = Pattern.compile("loss|eval_(.+_)?(loss|accuracy)");
  private static final Pattern FILE = Pattern.compile("training_(%s)\\.png".formatted(FIGURE));

  private LossPlot() {}

  /** Whether a file is named like a plot. */
  static boolean isPlot(String name) {
    return FILE.matcher(name).matches();
  }

  private static SortedSet<String> figures(List<LogEntry> history) {
    return history.stream().flatMap(entry -> entry.values().keySet().stream())
        .filter(name -> FIGURE.matcher(name).matches()).collect(Collectors.toCollection(TreeSet::new));
  }

  /**
   * Draws what the history has figures for.
   *
   * @return where plots could not be drawn, the reason in one line; a run does not fail for it
   */
  public static Optional<String> write(Path outputDir, List<LogEntry> history) {
    try {
      for (String figure : figures(history)) {
        List<LogEntry> entries = history.stream().filter(entry -> isFinite(entry, figure)).toList();
        if (!entries.isEmpty()) {
          byte[] image = draw(outputDir, figure, entries);
          AtomicFile.write(outputDir.resolve("training_%s.png".formatted(figure.replace('/', '_'))), image);
        }
      }
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of("plots are not drawn: " + FileErrors.reason(e));
    } catch (JqloraException e) {
      return Optional.of("plots are not drawn: " + e.getMessage());
    } catch (RuntimeException | LinkageError | InternalError e) {
      // AWT fails in any of these ways where the system has no fonts, or the runtime lacks a part.
      return Optional.of("plots are not drawn: %s; install fontconfig and a font, such as fonts-dejavu-core".formatted(
          FileErrors.printable(e.toString())));
    }
  }

  private static boolean isFinite(LogEntry entry, String figure) {
    return Double.isFinite(entry.values().getOrDefault(figure, Double.NaN));
  }

  private static byte[] draw(Path outputDir, String figure, List<LogEntry> entries) throws IOException {
    List<Integer> steps = entries.stream().map(LogEntry::step).toList();
    List<Double> values = entries.stream().map(entry -> entry.values().getOrDefault(figure, Double.NaN)).toList();
    XYChart chart = new XYChartBuilder().width(WIDTH).height(HEIGHT).title("training %s of %s".formatted(figure,
        outputDir)).xAxisTitle("step").yAxisTitle(figure).build();
    chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideNE).setChartBackgroundColor(Color.WHITE);
    addLine(chart, "original", steps, values, new Color(OPACITY_OF_ORIGINAL << 24 | RED_GREEN_BLUE, true));
    addLine(chart, "smoothed", steps, smoothed(values), new Color(RED_GREEN_BLUE));
    ByteArrayOutputStream image = new ByteArrayOutputStream();
    BitmapEncoder.saveBitmap(chart, image, BitmapEncoder.BitmapFormat.PNG);
    return image.toByteArray();
  }

  private static void addLine(XYChart chart, String name, List<Integer> steps, List<Double> values, Color color) {
    XYSeries line = chart.addSeries(name, steps, values);
    line.setLineColor(color);
    line.setMarker(SeriesMarkers.NONE);
  }

  /** An exponential moving average from the first value on; the more values, the smoother. */
  static List<Double> smoothed(List<Double> values) {
    double weight = 1.8 * (1 / (1 + Math.exp(-0.05 * values.size())) - 0.5);
    List<Double> smoothed = new ArrayList<>();
    for (double value : values) {
      double last = smoothed.isEmpty() ? value : smoothed.getLast();
      smoothed.add(last * weight + (1 - weight) * value);
    }
    return smoothed;
  }
}
