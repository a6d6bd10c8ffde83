package dev.jqlora.llama.score;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.testkit.TestBackends;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.score.Perplexity.Windows;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Likelihoods under a real model. */
class ScorerTest {
  private static LoadedModel open(Backend backend, String folder, boolean quantize) {
    return LoadedModel.open(backend, Long.MAX_VALUE, SharedData.path(folder),
        new LoadedModel.Options(quantize ? Quantization.NF4 : Quantization.NONE, 512,
            Optional.empty()),
        _ -> {
        });
  }

  private static List<JsonNode> golden() throws IOException {
    return StreamSupport.stream(new ObjectMapper().readTree(SharedData.path("golden/nll.json").toFile()).spliterator(),
        false).toList();
  }

  private static int[] ids(JsonNode example) {
    return StreamSupport.stream(example.get("ids").spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }

  private static void check(String name, String folder, boolean quantize, String key, double tolerance)
      throws IOException {
    try (Backend backend = TestBackends.named(name, 2); LoadedModel model = open(backend, folder, quantize)) {
      Scorer scorer = new Scorer(model, 1024);
      for (JsonNode example : golden()) {
        Perplexity perplexity = Perplexity.of(ids(example), new Windows(512, 256), scorer, _ -> {
        });
        assertEquals(ids(example).length - 1, perplexity.tokens());
        assertEquals(example.get(key).doubleValue(), perplexity.meanNll(), tolerance);
        assertEquals(Math.exp(perplexity.meanNll()), perplexity.perplexity(), 1e-12);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "tornado", "cuda-test"})
  void likelihoodsAreThoseOfPyTorch(String name) throws IOException {
    check(name, "stories260K", false, "mean_nll", 1e-4);
    check(name, "stories260K", true, "mean_nll_nf4", 1e-3);
    check(name, "golden/model-bnb-4bit", false, "mean_nll_nf4", 1e-3);
  }

  @Test
  void sequencesOfARunDoNotSeeEachOther() throws IOException {
    try (Backend backend = new CpuBackend(2); LoadedModel model = open(backend, "stories260K", false)) {
      List<Scorer.Sequence> sequences = golden().stream().map(example -> Scorer.Sequence.whole(ids(example))).toList();
      List<float[]> together = new Scorer(model, 1024).negativeLogLikelihoods(sequences);
      List<float[]> alone = new Scorer(model, 1).negativeLogLikelihoods(sequences);
      assertEquals(sequences.size(), together.size());
      for (int i = 0; i < sequences.size(); i++) {
        assertEquals(sequences.get(i).scored(), together.get(i).length);
        assertArrayEquals(alone.get(i), together.get(i), 1e-4f);
      }
    }
  }

  @Test
  void aLongTextIsScoredByWindowsThatSeeTheirOwnTokensOnly() throws IOException {
    int[] ids = ids(golden().get(2));
    try (Backend backend = new CpuBackend(2); LoadedModel model = open(backend, "stories260K", false)) {
      Scorer scorer = new Scorer(model, 128);
      List<Long> progress = new ArrayList<>();
      Perplexity perplexity = Perplexity.of(ids, new Windows(48, 20), scorer, progress::add);
      double expected = 0;
      for (int token = 1; token < ids.length; token++) {
        int window = Math.max(0, Math.ceilDiv(token + 1 - 48, 20));
        int[] context = Arrays.copyOfRange(ids, window * 20, token + 1);
        expected += scorer.negativeLogLikelihoods(List.of(new Scorer.Sequence(context, context.length - 1)))
            .getFirst()[0];
      }
      assertEquals(ids.length - 1, perplexity.tokens());
      assertEquals(expected, perplexity.totalNll(), 1e-3);
      assertEquals(perplexity.tokens(), progress.getLast());
    }
  }

  @Test
  void windowsScoreEachTokenOnce() {
    for (int tokens = 2; tokens < 40; tokens++) {
      int[] ids = IntStream.range(0, tokens).toArray();
      for (Windows windows : List.of(new Windows(2, 1), new Windows(8, 4), new Windows(7, 6), new Windows(9, 1))) {
        List<Integer> scored = new ArrayList<>();
        for (Scorer.Sequence window : windows.of(ids)) {
          for (int i = window.first(); i < window.ids().length; i++) {
            scored.add(window.ids()[i]);
          }
        }
        assertEquals(IntStream.range(1, tokens).boxed().toList(), scored, windows + " over " + tokens);
      }
    }
  }

  @Test
  void whatCannotBeScoredIsRefused() throws IOException {
    assertThrows(IllegalArgumentException.class, () -> new Windows(8, 8));
    assertThrows(IllegalArgumentException.class, () -> new Scorer.Sequence(new int[]{1, 2}, 0));
    try (Backend backend = new CpuBackend(1); LoadedModel model = open(backend, "stories260K", false)) {
      Scorer scorer = new Scorer(model, 128);
      OneLineError.assertThrown(() -> Perplexity.of(new int[]{1}, new Windows(8, 4), scorer, _ -> {
      }), "1 tokens");
      assertEquals(Kind.MODEL, OneLineError.assertThrown(() -> scorer.negativeLogLikelihoods(List.of(
          Scorer.Sequence.whole(new int[]{1, 4096}))), "token 4096").kind());
      assertEquals(Kind.DATA, OneLineError.assertThrown(() -> scorer.negativeLogLikelihoods(List.of(
          Scorer.Sequence.whole(new int[513]))), "513", "512").kind());
    }
  }
}
