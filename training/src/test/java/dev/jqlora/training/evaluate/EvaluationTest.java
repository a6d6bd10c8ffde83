package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.llama.adapter.LoraInit;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.model.RandomModel;
import dev.jqlora.llama.tokenizer.TokenizerFiles;
import dev.jqlora.training.data.Template;
import dev.jqlora.training.files.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Real questions and adapters on a real, though tiny, Llama. */
class EvaluationTest {
  private static final int QUESTIONS = 9;
  private static final List<PromptForm> BOTH = List.of(PromptForm.HARNESS, PromptForm.TEMPLATE);

  @TempDir
  Path folder;

  private final Recorder recorder = new Recorder();

  private static final class Recorder implements EvaluationListener {
    private final List<String> notices = new ArrayList<>();
    private final List<String> progress = new ArrayList<>();

    @Override
    public void notice(String line) {
      notices.add(line);
    }

    @Override
    public void progress(String what, long done, long total) {
      progress.add(what);
    }

    @Override
    public void finished(String result) {
      progress.add(result);
    }
  }

  /** The CPU, under another name, saying that it rounds the factors of products. */
  private record Rounding(Backend cpu) implements Backend {
    @Override
    public String name() {
      return "rounding";
    }

    @Override
    public String device() {
      return cpu.device();
    }

    @Override
    public DType products() {
      return DType.BF16;
    }

    @Override
    public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
      return cpu.supports(op, inputs, outputs);
    }

    @Override
    public Session open(long memoryLimitBytes) {
      return cpu.open(memoryLimitBytes);
    }

    @Override
    public void close() {
      cpu.close();
    }
  }

  private static Variant golden(String name, String adapter) {
    return Variant.of(name, SharedData.path("golden/lora/" + adapter));
  }

  private Path text() {
    try {
      return Files.writeString(folder.resolve("held_out.jsonl"), """
          {"text": "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."}
          {"text": "One day, a dog came. It was big and it was happy.", "source": "a book"}
          """);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private EvaluationSettings settings(List<Variant> variants, int limit, String output, boolean overwrite) {
    return new EvaluationSettings(
        new EvaluationSettings.Base("stories260K", SharedData.path(SharedData.STORIES), Quantization.NONE),
        variants, Optional.of(new EvaluationSettings.Questions(SharedData.path(SharedData.TEST_QUESTIONS),
            new LinkedHashSet<>(BOTH), Template.ALPACA, Template.ALPACA.defaultSystem())),
        new EvaluationSettings.Text(List.of(text()), new TextWindows(OptionalInt.of(16), OptionalInt.of(8))),
        OptionalInt.of(limit),
        1500,
        folder.resolve(output), overwrite);
  }

  private EvaluationReport run(EvaluationSettings settings) {
    try (Backend backend = new CpuBackend(2)) {
      return Evaluation.run(settings, backend, Long.MAX_VALUE, recorder);
    }
  }

  private EvaluationReport runRounding(EvaluationSettings settings) {
    try (Backend backend = new Rounding(new CpuBackend(2))) {
      return Evaluation.run(settings, backend, Long.MAX_VALUE, recorder);
    }
  }

  private boolean hasLoaded() {
    return recorder.progress.stream().anyMatch(line -> line.contains("loading"));
  }

  private static final List<Variant> BASE_ONLY = List.of(Variant.BASE);

  @Test
  void comparesABaseAndItsAdapters() throws IOException {
    EvaluationReport report = run(settings(List.of(Variant.BASE, golden("stage1", "initial"), golden("stage2",
        "final-float32")), QUESTIONS, "out", false));
    JsonNode json = Json.MAPPER.readTree(folder.resolve("out/evaluation.json").toFile());
    assertEquals("test", json.at("/questions/split").asText());
    assertEquals(true, json.at("/questions/forms/harness/bos").asBoolean());
    assertEquals("alpaca", json.at("/questions/forms/template/template").asText());
    assertEquals(List.of(16, 8, 2), List.of(json.at("/text/window").asInt(), json.at("/text/stride").asInt(), json.at(
        "/text/documents").asInt()));
    assertEquals(3, json.path("variants").size());
    JsonNode base = json.at("/variants/0");
    JsonNode trained = json.at("/variants/2");
    assertEquals(QUESTIONS, base.at("/medqa/harness/n").asInt());
    assertEquals(6, json.path("mcnemar").size());
    // A tiny storyteller finds stories likely; an adapter that was trained on other text changes that.
    double perplexity = base.at("/perplexity/perplexity").asDouble();
    assertTrue(perplexity > 1 && perplexity < 30, () -> "perplexity " + perplexity);
    assertNotEquals(perplexity, trained.at("/perplexity/perplexity").asDouble(), 1e-3);
    assertEquals(perplexity, report.variants().getFirst().text().orElseThrow().perplexity().perplexity());

    String table = EvaluationTable.of(report);
    assertEquals(4 + 1 + 2 + 6, table.lines().count(), table);
    assertTrue(table.contains("MedQA harness, 95 % interval"), table);
    assertTrue(table.contains("weighted by token; window 16, stride 8"), table);
    assertTrue(table.contains("McNemar, template: only stage1 right "), table);
    assertTrue(recorder.notices.stream().anyMatch(notice -> notice.contains("lose their beginning")));
  }

  /** B of a fresh adapter is zero, so it must give the very numbers of the base; and it needs another program. */
  @Test
  void aFreshAdapterChangesNothing() throws IOException {
    Path fresh = folder.resolve("fresh");
    var config = new AdapterConfig("stories260K", 4, 8, 0, false, EnumSet.of(Projection.Q_PROJ, Projection.UP_PROJ));
    try (Backend backend = new CpuBackend(1);
        LoadedModel model = LoadedModel.open(backend, Long.MAX_VALUE, SharedData.path(SharedData.STORIES),
            new LoadedModel.Options(Quantization.NONE, 16, Optional.empty()), _ -> {
            })) {
      ModelLayout layout = model.layout().withLora(Optional.of(config.spec()));
      layout.adapterStates().forEach(model.session()::allocate);
      LoraInit.fill(layout, model.session(), 42, DType.F32);
      AdapterFiles.save(fresh, config, layout, model.session());
    }
    // Ranks and targets differ from the golden adapter's, so the base is loaded a second time in between.
    EvaluationReport report = run(settings(List.of(Variant.BASE, golden("trained", "final-float32"), Variant.of(
        "fresh", fresh)), 3, "out", false));
    assertEquals(2, recorder.progress.stream().filter("loading layers"::equals).count() / 5);
    VariantResult base = report.variants().get(0);
    VariantResult same = report.variants().get(2);
    assertEquals(base.text().orElseThrow().perplexity(), same.text().orElseThrow().perplexity());
    for (PromptForm form : BOTH) {
      assertEquals(scores(base, form), scores(same, form));
      assertNotEquals(scores(base, form), scores(report.variants().get(1), form));
    }
  }

  private static List<JsonNode> scores(VariantResult variant, PromptForm form) throws IOException {
    return lines(variant, form).stream().map(line -> Json.object(line, "line").path("scores")).toList();
  }

  private static List<String> lines(VariantResult variant, PromptForm form) throws IOException {
    return Files.readAllLines(variant.answers(form).file());
  }

  @Test
  void aStoppedRunGoesOnToTheSameResults() throws IOException {
    run(settings(BASE_ONLY, QUESTIONS, "whole", false));
    VariantResult part = run(settings(BASE_ONLY, 4, "parts", false)).variants().getFirst();
    for (PromptForm form : BOTH) {
      Path file = part.answers(form).file();
      byte[] bytes = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(bytes, bytes.length - 20));
    }
    run(settings(BASE_ONLY, 4, "parts", false));
    run(settings(BASE_ONLY, QUESTIONS, "parts", false));
    try (var files = Files.list(folder.resolve("whole"))) {
      List<Path> all = files.toList();
      assertEquals(4, all.size());
      for (Path file : all) {
        String whole = Files.readString(file);
        String parts = Files.readString(folder.resolve("parts").resolve(file.getFileName()));
        assertEquals(whole, parts.replace(folder.resolve("parts").toString(), folder.resolve("whole").toString()));
      }
    }
  }

  @Test
  void finishedResultsNeedNoModel() throws IOException {
    EvaluationReport first = run(settings(BASE_ONLY, 3, "out", false));
    recorder.progress.clear();
    assertEquals(EvaluationJson.of(first), EvaluationJson.of(run(settings(BASE_ONLY, 3, "out", false))));
    assertTrue(recorder.progress.stream().noneMatch(line -> line.contains("loading")), recorder.progress.toString());
    run(settings(BASE_ONLY, 3, "out", true));
    assertTrue(recorder.progress.stream().anyMatch(line -> line.contains("loading")), recorder.progress.toString());
  }

  /** A backend that multiplies otherwise takes none of another's results, and leaves them as they are. */
  @Test
  void resultsAreOfOneKindOfProducts() throws IOException {
    EvaluationSettings settings = settings(BASE_ONLY, 2, "out", false);
    EvaluationReport exact = run(settings);
    recorder.progress.clear();
    EvaluationReport rounded = runRounding(settings);
    assertTrue(hasLoaded(), recorder.progress.toString());
    JsonNode json = Json.MAPPER.readTree(folder.resolve("out/evaluation.json").toFile());
    assertEquals(List.of("rounding", "bfloat16", "float32"), List.of(json.path("backend").asText(),
        json.path("products").asText(), json.path("activations").asText()));
    VariantResult first = exact.variants().getFirst();
    VariantResult second = rounded.variants().getFirst();
    assertNotEquals(first.text().orElseThrow().file(), second.text().orElseThrow().file());
    for (PromptForm form : BOTH) {
      assertNotEquals(first.answers(form).file(), second.answers(form).file());
    }
    recorder.progress.clear();
    JsonNode again = EvaluationJson.of(run(settings));
    assertEquals(EvaluationJson.of(exact), again);
    assertEquals(List.of("cpu", "float32"), List.of(again.path("backend").asText(), again.path("products").asText()));
    runRounding(settings);
    assertFalse(hasLoaded(), recorder.progress.toString());
  }

  @Test
  void aModelThatIsStoredQuantizedIsSaidToBe() {
    Path stories = SharedData.path(SharedData.STORIES);
    Path stored = folder.resolve("stored");
    RandomModel.write(stored, LlamaConfig.read(stories), RandomModel.Storage.NF4, 1);
    new TokenizerFiles(stories).copyTo(stored);
    EvaluationSettings plain = settings(BASE_ONLY, 1, "out", false);
    assertEquals("none", EvaluationJson.of(run(plain)).path("quantization").asText());
    String said = "nf4, double quantization, as stored";
    assertEquals(said, quantization(plain, stored, Quantization.NONE));
    assertEquals(said, quantization(plain, stored, new Quantization(true, false, false)));
    assertEquals(said + "; head nf4", quantization(plain, stored, new Quantization(false, true, false)));
  }

  private String quantization(EvaluationSettings settings, Path model, Quantization quantization) {
    var base = new EvaluationSettings.Base("stored", model, quantization);
    var changed = new EvaluationSettings(base, settings.variants(), Optional.empty(), settings.text(), settings.limit(),
        settings.batchTokens(), settings.output(), false);
    return EvaluationJson.of(run(changed)).path("quantization").asText();
  }

  @Test
  void linesAfterADamagedOneAreMadeAnew() throws IOException {
    VariantResult first = run(settings(BASE_ONLY, 4, "out", false)).variants().getFirst();
    Path file = first.answers(PromptForm.HARNESS).file();
    byte[] whole = Files.readAllBytes(file);
    List<String> lines = Files.readAllLines(file);
    for (String damaged : List.of(lines.get(1).replaceFirst("-\\d", "\"x\""),
        lines.get(1).replaceFirst("\"gold\":\"[A-D]\"", "\"gold\":\"Z\""))) {
      Files.writeString(file, lines.get(0) + "\n" + damaged + "\n" + lines.get(2) + "\n");
      run(settings(BASE_ONLY, 4, "out", false));
      assertArrayEquals(whole, Files.readAllBytes(file), damaged);
    }
  }

  /** The tiny model knows no medicine: its share of right answers must be near chance, whatever the form. */
  @Test
  void fortyRealQuestions() {
    EvaluationReport report = run(settings(BASE_ONLY, 40, "out", false));
    for (PromptForm form : BOTH) {
      QuestionResult result = report.variants().getFirst().answers(form);
      Accuracy accuracy = result.accuracy();
      assertEquals(40, accuracy.n());
      assertTrue(accuracy.correct() > 1 && accuracy.correct() < 22, () -> accuracy.correct() + " right");
      assertEquals(accuracy.correct(), result.right().values().stream().mapToInt(Integer::intValue).sum());
      assertEquals(40, result.predicted().values().stream().mapToInt(Integer::intValue).sum());
    }
  }

  @Test
  void settingsThatMeanNothingAreRefused() {
    assertEquals(Kind.USAGE, kind(() -> settings(BASE_ONLY, 0, "out", false)));
    assertEquals(Kind.USAGE, kind(() -> settings(List.of(Variant.BASE, Variant.BASE), 1, "out", false)));
    assertEquals(Kind.USAGE, kind(() -> Variant.of("../x", folder)));
    assertEquals(Kind.USAGE, kind(() -> PromptForm.named("chat")));
    assertEquals(Kind.MODEL, kind(() -> run(settings(List.of(Variant.of("none", folder.resolve("none"))), 1, "out",
        false))));
    EvaluationSettings sound = settings(BASE_ONLY, 1, "out", false);
    for (EvaluationSettings.Text text : List.of(
        new EvaluationSettings.Text(List.of(text()), new TextWindows(OptionalInt.of(513), OptionalInt.empty())),
        new EvaluationSettings.Text(List.of(text()), new TextWindows(OptionalInt.of(16), OptionalInt.of(16))))) {
      assertEquals(Kind.USAGE, kind(() -> run(new EvaluationSettings(sound.base(), BASE_ONLY, Optional.empty(), text,
          OptionalInt.empty(), 100, folder.resolve("out"), false))));
    }
  }

  private static Kind kind(Executable action) {
    return assertThrows(JqloraException.class, action).kind();
  }
}
