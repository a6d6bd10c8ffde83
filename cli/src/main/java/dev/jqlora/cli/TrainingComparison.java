package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * A training run that two backends go through.
 *
 * @param model that is trained
 * @param mustFall whether the loss has to
 */
record TrainingComparison(Function<Backend, TrainingCurve> run, LlamaConfig model, SmallRuns.Length length,
    boolean mustFall) {
  /**
   * Judges a backend by another.
   *
   * @param name of the other in a sentence
   */
  Finding.Result judge(Backend backend, Backend other, String name) {
    TrainingCurve curve = run.apply(backend);
    TrainingCurve expected = run.apply(other);
    Nearness near = backend.name().equals(other.name())
        ? Nearness.EXACT
        : Nearness.of(backend, model, length.steps(), length.tokensOfStep());
    double loss = curve.lossDifference(expected);
    double norm = curve.normDifference(expected);
    ObjectNode figures = JsonNodeFactory.instance.objectNode().put("loss_difference", loss).put("norm_difference",
        norm);
    curve.losses().forEach(figures.putArray("losses")::add);
    expected.losses().forEach(figures.putArray("other_losses")::add);
    String text = String.format(Locale.ROOT, "loss from %.4f to %.4f in %d steps, losses within %.1e and norms "
        + "within %.1e of those of %s", curve.losses().getFirst(), curve.losses().getLast(), curve.losses().size(),
        loss, norm, name);
    List<String> wrong = new ArrayList<>();
    if (!near.allows(loss, norm)) {
      wrong.add(String.format(Locale.ROOT, "%s; expected within %.1e and %.1e", text, near.loss(), near.norm()));
    }
    if (mustFall && !curve.falls()) {
      wrong.add("the loss does not fall: " + curve.losses());
    }
    return Finding.Result.of(wrong, text, "", figures);
  }
}
