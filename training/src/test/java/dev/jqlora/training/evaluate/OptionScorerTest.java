package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class OptionScorerTest {
  private static final int CONTEXT = 512;

  private static LoadedModel open(Backend backend) {
    return LoadedModel.open(backend, Long.MAX_VALUE, SharedData.path(SharedData.STORIES),
        new LoadedModel.Options(Quantization.NONE, CONTEXT, Optional.empty()), _ -> {
        });
  }

  private static List<Reading> realQuestions(int count) {
    try (var tokenizer = HuggingFaceTokenizer.open(SharedData.path(SharedData.STORIES))) {
      Prompt.Maker maker = Prompt.harness(tokenizer, tokenizer.addsBos());
      return MedqaQuestions.read(SharedData.path(SharedData.TEST_QUESTIONS)).questions().stream().limit(count)
          .map(question -> Reading.of(maker.of(question), CONTEXT)).toList();
    }
  }

  /** Options of one and of several tokens, with sequences shared and not. */
  private static final List<Prompt> PROMPTS = List.of(
      new Prompt(new int[]{1, 403, 407, 261}, List.of(new int[]{378}, new int[]{264}, new int[]{3})),
      new Prompt(new int[]{1, 400}, List.of(new int[]{31, 32}, new int[]{31, 33}, new int[]{40, 41, 42})),
      new Prompt(new int[]{1, 3, 5, 7, 9, 11, 13, 15, 17}, List.of(new int[]{300}, new int[]{301, 302})));

  @Test
  void scoresAreTheLogSoftmaxOfTheReferencesLogits() {
    try (Backend reference = new ReferenceBackend();
        LoadedModel exact = open(reference);
        Backend cpu = new CpuBackend(2);
        LoadedModel fast = open(cpu)) {
      List<double[]> scores = new OptionScorer(fast).score(PROMPTS.stream().map(prompt -> Reading.of(prompt, CONTEXT))
          .toList());
      for (int i = 0; i < PROMPTS.size(); i++) {
        for (int option = 0; option < scores.get(i).length; option++) {
          double expected = byHand(exact, PROMPTS.get(i).context(), PROMPTS.get(i).continuations().get(option));
          assertEquals(expected, scores.get(i)[option], 1e-4 * Math.abs(expected));
        }
      }
    }
  }

  /** A continuation's log-likelihood from all logits of one sequence, summed in float64. */
  private static double byHand(LoadedModel model, int[] context, int[] continuation) {
    int[] ids = IntStream.concat(IntStream.of(context), IntStream.of(continuation)).toArray();
    TensorType type = TensorType.i32(ids.length);
    Program.Builder program = new Program.Builder("logits");
    LlamaGraph llama = new LlamaGraph(model.layout(), program);
    Value hidden = llama.hidden(ids.length, false, SavePolicy.NOTHING, DType.F32);
    program.fetch("logits", llama.logits(hidden));
    Tensor logits = Objects.requireNonNull(model.session().compile(program.build()).run(Map.of(
        LlamaGraph.TOKENS, Tensor.of(type, ids),
        LlamaGraph.POSITIONS, Tensor.of(type, IntStream.range(0, ids.length).toArray()),
        LlamaGraph.START, Tensor.of(type, new int[ids.length]))).get("logits"));
    int vocab = model.config().vocabSize();
    double sum = 0;
    for (int i = 0; i < continuation.length; i++) {
      long row = (long) (context.length - 1 + i) * vocab;
      double total = 0;
      for (int id = 0; id < vocab; id++) {
        total += Math.exp(logits.get(row + id));
      }
      sum += logits.get(row + continuation[i]) - Math.log(total);
    }
    return sum;
  }

  @Test
  void aQuestionsScoresAreTheSameBitsInAnyBatch() {
    List<Reading> readings = realQuestions(12);
    assertTrue(readings.stream().anyMatch(Reading::cut), "expected a question longer than the context");
    try (Backend backend = new CpuBackend(2); LoadedModel model = open(backend)) {
      OptionScorer scorer = new OptionScorer(model);
      var alone = new ArrayList<double[]>();
      readings.forEach(reading -> alone.add(scorer.score(List.of(reading)).getFirst()));
      for (int tokens : new int[]{1, 900, 100_000}) {
        var together = new ArrayList<double[]>();
        OptionScorer.batches(readings, tokens).forEach(batch -> together.addAll(scorer.score(batch)));
        assertArrayEquals(alone.toArray(), together.toArray());
      }
    }
  }

  @Test
  void batchesKeepTheOrderAndTheBudget() {
    List<Reading> readings = List.of(reading(5), reading(4), reading(20), reading(1), reading(9));
    assertEquals(List.of(List.of(5, 4), List.of(20), List.of(1, 9)), OptionScorer.batches(readings, 10).stream().map(
        batch -> batch.stream().map(Reading::tokens).toList()).toList());
    assertEquals(List.of(), OptionScorer.batches(List.of(), 10));
  }

  private static Reading reading(int tokens) {
    return Reading.of(new Prompt(new int[tokens], List.of(new int[]{1})), CONTEXT);
  }

  @Test
  void tokensBeyondTheVocabularyAreRefused() {
    try (Backend backend = new CpuBackend(1); LoadedModel model = open(backend)) {
      Reading reading = Reading.of(new Prompt(new int[]{1}, List.of(new int[]{512})), CONTEXT);
      assertEquals(Kind.MODEL, assertThrows(JqloraException.class, () -> new OptionScorer(model).score(List.of(
          reading))).kind());
    }
  }

  @Test
  void likelihoodsThatAreNoNumbersAreRefused() {
    try (Backend backend = new CpuBackend(1); LoadedModel model = open(backend)) {
      model.session().write("norm", 0, MemorySegment.ofArray(new float[]{Float.NaN}));
      JqloraException error = assertThrows(JqloraException.class, () -> new OptionScorer(model).score(List.of(reading(
          3))));
      assertEquals(Kind.NUMERICS, error.kind());
    }
  }
}
