package dev.jqlora.training.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.preprocess.MedqaPreprocessor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The two configurations that {@code jqlora train} runs without an argument. */
class RecipeTest {
  private static final Path ROOT = Path.of(System.getProperty("jqlora.root", ".."));
  private static final String STAGE1 = "stage1_pretrain.yaml";
  private static final String STAGE2 = "stage2_sft.yaml";

  @TempDir
  Path folder;

  private static TrainingArguments read(String name) {
    return TrainingArguments.read(ROOT.resolve("configs").resolve(name), List.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {STAGE1, STAGE2})
  void bothStagesAreTheSameQlora(String name) {
    TrainingArguments arguments = read(name);
    assertEquals("meta-llama/Meta-Llama-3-8B", arguments.model().modelNameOrPath());
    assertTrue(arguments.model().quantized());
    assertTrue(arguments.model().quantization().nested());
    assertEquals(FinetuningType.LORA, arguments.finetuning().type());
    assertEquals(1024, arguments.data().cutoffLen());
    assertEquals(OptimizerType.PAGED_ADAMW_8BIT, arguments.trainer().optimizer().type());
    assertEquals(SchedulerType.COSINE, arguments.trainer().schedule().type());
    assertTrue(arguments.trainer().doTrain() && arguments.trainer().doEval());
  }

  @Test
  void stageTwoContinuesStageOne() {
    TrainingArguments first = read(STAGE1);
    TrainingArguments second = read(STAGE2);
    assertEquals(Stage.PT, first.finetuning().stage());
    assertNull(first.model().adapter());
    assertEquals(16, first.finetuning().loraRank());
    assertEquals(32, first.finetuning().loraAlpha());
    assertEquals(Stage.SFT, second.finetuning().stage());
    assertEquals(first.trainer().outputDir(), second.model().adapter());
  }

  @ParameterizedTest
  @ValueSource(strings = {STAGE1, STAGE2})
  void theOnlyNoticeIsAboutThePrecision(String name) {
    List<String> notices = read(name).notices();
    assertEquals(1, notices.size(), notices.toString());
    assertTrue(notices.getFirst().startsWith("bf16: "), notices.getFirst());
  }

  @Test
  void preprocessMakesTheDatasetsTheyName() throws IOException {
    new MedqaPreprocessor(ROOT.resolve("data_clean"), folder).run(true, true);
    JsonNode info = Json.MAPPER.readTree(folder.resolve("dataset_info.json").toFile());
    for (String name : List.of(STAGE1, STAGE2)) {
      DataArguments data = read(name).data();
      assertEquals(Path.of("data"), data.datasetDir());
      data.dataset().forEach(dataset -> assertTrue(info.has(dataset), dataset));
      data.evalDataset().forEach(dataset -> assertTrue(info.has(dataset), dataset));
    }
  }
}
