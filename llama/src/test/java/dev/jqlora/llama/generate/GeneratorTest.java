package dev.jqlora.llama.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.testkit.TestBackends;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.llama.tokenizer.StreamingDecoder;
import dev.jqlora.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Generation with a real model. */
class GeneratorTest {
  private static final int CONTEXT = 160;

  private static LoadedModel open(Backend backend) {
    return LoadedModel.open(backend, Long.MAX_VALUE, SharedData.path("stories260K"),
        new LoadedModel.Options(Quantization.NONE,
            CONTEXT, Optional.empty()),
        _ -> {
        });
  }

  private static JsonNode golden() throws IOException {
    return new ObjectMapper().readTree(SharedData.path("golden/generation.json").toFile());
  }

  private static int[] ints(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }

  private static Generator.Options greedy(int tokens) {
    return new Generator.Options(Sampling.GREEDY, tokens, Set.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "tornado", "cuda-test"})
  void greedyTextIsThatOfPyTorch(String name) throws IOException {
    try (Backend backend = TestBackends.named(name, 2);
        LoadedModel model = open(backend);
        Tokenizer tokenizer = HuggingFaceTokenizer.open(SharedData.path("stories260K"))) {
      Generator generator = new Generator(model, CONTEXT);
      for (JsonNode example : golden()) {
        int[] prompt = tokenizer.encodeWithBos(example.get("prompt").textValue());
        assertArrayEquals(ints(example.get("prompt_ids")), prompt);
        StreamingDecoder decoder = new StreamingDecoder(tokenizer, true);
        StringBuilder text = new StringBuilder();
        IntStream.of(prompt).forEach(id -> text.append(decoder.append(id)));
        Generation generation = generator.generate(prompt, greedy(100), id -> {
          text.append(decoder.append(id));
          return true;
        });
        assertArrayEquals(ints(example.get("greedy_ids")), generation.ids().stream().mapToInt(id -> id).toArray());
        assertEquals(Generation.End.LENGTH, generation.end());
        assertEquals(example.get("text").textValue(), text + decoder.finish());
      }
    }
  }

  @Test
  void logitsAreThoseOfPyTorch() throws IOException {
    for (Backend each : List.of(new CpuBackend(2), new ReferenceBackend())) {
      try (Backend backend = each; LoadedModel model = open(backend)) {
        Generator generator = new Generator(model, CONTEXT);
        for (JsonNode example : golden()) {
          float[] logits = generator.feed(ints(example.get("prompt_ids")), 0);
          JsonNode expected = example.get("first_logits");
          assertEquals(expected.size(), logits.length);
          for (int i = 0; i < logits.length; i++) {
            assertEquals(expected.get(i).doubleValue(), logits[i], 1e-4, backend.name() + ", token " + i);
          }
        }
      }
    }
  }

  @Test
  void pieceByPieceOrWholeTheLogitsAreTheSame() throws IOException {
    int[] ids = ids(150);
    try (Backend backend = new CpuBackend(2); LoadedModel model = open(backend)) {
      Generator generator = new Generator(model, CONTEXT);
      float[] whole = generator.feed(ids, 0);
      for (int split : new int[]{1, 3, 17, 64, 149}) {
        generator.feed(IntStream.of(ids).limit(split).toArray(), 0);
        assertArrayEquals(whole, generator.feed(IntStream.of(ids).skip(split).toArray(), split), 1e-4f);
      }
    }
  }

  private static int[] ids(int count) throws IOException {
    JsonNode example = golden().get(0);
    return IntStream.concat(IntStream.of(ints(example.get("prompt_ids"))), IntStream.generate(() -> 403)).limit(count)
        .toArray();
  }

  @Test
  void aPromptThatGoesOnReusesTheCache() throws IOException {
    int[] prompt = ids(20);
    try (Backend backend = new CpuBackend(2); LoadedModel model = open(backend)) {
      Generator generator = new Generator(model, CONTEXT);
      Generation first = generator.generate(prompt, greedy(10), TokenListener.NONE);
      assertEquals(0, first.reusedTokens());
      int[] longer = IntStream.concat(IntStream.of(prompt), first.ids().stream().mapToInt(id -> id)).toArray();
      Generation second = generator.generate(longer, greedy(10), TokenListener.NONE);
      assertEquals(29, second.reusedTokens());
      Generation again = generator.generate(prompt, greedy(20), TokenListener.NONE);
      assertEquals(19, again.reusedTokens());
      List<Integer> joined = new ArrayList<>(first.ids());
      joined.addAll(second.ids());
      assertEquals(joined, again.ids());
    }
  }

  @Test
  void endsAtAStopTokenAndWhereTheListenerWantsNoMore() throws IOException {
    int[] prompt = ints(golden().get(0).get("prompt_ids"));
    int[] greedy = ints(golden().get(0).get("greedy_ids"));
    try (Backend backend = new CpuBackend(2); LoadedModel model = open(backend)) {
      Generator generator = new Generator(model, CONTEXT);
      Generation stopped = generator.generate(prompt, new Generator.Options(Sampling.GREEDY, 50, Set.of(greedy[3])),
          TokenListener.NONE);
      assertEquals(Generation.End.STOP, stopped.end());
      assertEquals(IntStream.of(greedy).limit(3).boxed().toList(), stopped.ids());
      Generation cancelled = generator.generate(prompt, greedy(50), id -> id != greedy[2]);
      assertEquals(Generation.End.CANCELLED, cancelled.end());
      assertEquals(3, cancelled.ids().size());
    }
  }

  @Test
  void whatDoesNotFitIsOneClearLine() throws IOException {
    try (Backend backend = new CpuBackend(1); LoadedModel model = open(backend)) {
      Generator generator = new Generator(model, 40);
      assertEquals(Kind.DATA, OneLineError.assertThrown(() -> generator.generate(ids(30), greedy(11),
          TokenListener.NONE), "30 tokens", "11 more", "40").kind());
      assertEquals(10, generator.generate(ids(30), greedy(10), TokenListener.NONE).ids().size());
      assertEquals(10, generator.generate(ids(30), greedy(0), TokenListener.NONE).ids().size());
      assertEquals(Kind.MODEL, OneLineError.assertThrown(() -> generator.generate(new int[]{1, 512}, greedy(1),
          TokenListener.NONE), "token 512", "vocabulary of 512").kind());
      OneLineError.assertThrown(() -> generator.generate(new int[0], greedy(1), TokenListener.NONE), "no tokens");
    }
  }

  @Test
  void piecesCoverWhatRemainsAndStayWithinTheRoom() {
    assertEquals(1, Generator.chunk(1, 1));
    assertEquals(4, Generator.chunk(3, 100));
    assertEquals(1, Generator.chunk(3, 3));
    assertEquals(16, Generator.chunk(17, 100));
    assertEquals(64, Generator.chunk(40, 100));
    assertEquals(16, Generator.chunk(40, 60));
    assertEquals(256, Generator.chunk(300, 10_000));
    assertEquals(512, Generator.chunk(400, 10_000));
    assertEquals(512, Generator.chunk(10_000, 10_000));
    for (int remaining = 1; remaining < 600; remaining++) {
      for (int room = remaining; room < remaining + 300; room++) {
        int size = Generator.chunk(remaining, room);
        assertTrue(size >= 1 && size <= room, remaining + " of " + room);
      }
    }
  }

  /** A cache that is copied somewhere would make the arena grow by a layer's part of it, at the least. */
  @Test
  void theCacheIsWrittenInPlace() {
    try (Backend backend = new CpuBackend(1);
        LoadedModel model = open(backend);
        LoadedModel other = open(backend)) {
      long grown = new Generator(model, CONTEXT).program(1).plan().arenaBytes()
          - new Generator(other, CONTEXT / 2).program(1).plan().arenaBytes();
      long oneLayersKeys = LlamaGraph.cacheStates(model.config(), CONTEXT / 2).firstEntry().getValue().bytes() / model
          .config().layers();
      assertTrue(grown < oneLayersKeys, grown + " bytes, a layer's keys " + oneLayersKeys);
    }
  }

  @Test
  void samplingIsDecidedByItsSeed() throws IOException {
    int[] prompt = ints(golden().get(0).get("prompt_ids"));
    try (Backend backend = new CpuBackend(2); LoadedModel model = open(backend)) {
      Generator generator = new Generator(model, CONTEXT);
      List<List<Integer>> texts = new ArrayList<>();
      for (long seed : new long[]{1, 1, 2}) {
        texts.add(generator.generate(prompt, new Generator.Options(new Sampling(1, 40, 0.95, 1, seed), 30, Set.of()),
            TokenListener.NONE).ids());
      }
      assertEquals(texts.get(0), texts.get(1));
      assertTrue(!texts.get(0).equals(texts.get(2)));
    }
  }
}
