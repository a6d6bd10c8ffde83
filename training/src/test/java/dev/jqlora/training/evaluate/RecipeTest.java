package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.data.Template;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipeTest {
  @TempDir
  Path folder;

  private Path stage(int number, String model, String... lines) throws IOException {
    Path file = folder.resolve("stage" + number + ".yaml");
    return Files.writeString(file, """
        model_name_or_path: %s
        dataset: a
        dataset_dir: %s
        output_dir: %s
        %s
        """.formatted(model, folder, folder.resolve("out" + number), String.join("\n", lines)));
  }

  @Test
  void stagesWithAnAdapterAreCompared() throws IOException {
    Path first = stage(1, "base", "stage: pt", "quantization_bit: 4");
    Path second = stage(2, "base", "stage: sft", "quantization_bit: 4", "template: alpaca");
    Path finished = Files.createDirectories(folder.resolve("out2"));
    Files.writeString(finished.resolve("adapter_config.json"), "{}");
    Recipe recipe = Recipe.read(List.of(first, second));
    assertEquals("base", recipe.model().modelNameOrPath());
    assertTrue(recipe.model().quantized() && recipe.model().quantization().nested());
    assertEquals(List.of(Variant.BASE, Variant.of("stage2", finished)), recipe.variants());
    assertEquals(Template.ALPACA, recipe.template());
    assertEquals(Template.ALPACA.defaultSystem(), recipe.system());
    assertEquals(folder.resolve("medqa_test.jsonl"), recipe.questions());
    assertEquals(folder.resolve("textbooks_heldout.jsonl"), recipe.text());
    assertEquals(List.of(folder.resolve("out1") + " holds no finished adapter; stage 1 is left out"),
        recipe.notices());
  }

  @Test
  void theLastStagesSystemTextCounts() throws IOException {
    Recipe recipe = Recipe
        .read(List.of(stage(1, "base", "stage: sft", "template: llama3", "default_system: Be brief.")));
    assertEquals("Be brief.", recipe.system());
  }

  @Test
  void stagesOfDifferentModelsAreRefused() throws IOException {
    List<Path> files = List.of(stage(1, "one"), stage(2, "two"));
    assertEquals(Kind.CONFIG, assertThrows(JqloraException.class, () -> Recipe.read(files)).kind());
  }
}
