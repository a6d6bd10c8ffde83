package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.training.config.Stage;
import dev.jqlora.training.preprocess.MedqaPreprocessor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Both stages' data as the recipe makes them: real questions, sample textbooks, the real tokenizer. */
class RealRecipeTest {
  private static final Path ROOT = Path.of(System.getProperty("jqlora.root", ".."));
  private static final Path SHARED = ROOT.resolve("../shared/data");

  @TempDir
  Path folder;

  @BeforeEach
  void preprocess() {
    assumeTrue(Files.exists(SHARED.resolve("llama3-tokenizer")) && Files.exists(SHARED.resolve("medqa")),
        "skipped: the Llama 3 tokenizer or the MedQA questions are not in " + SHARED);
    new MedqaPreprocessor(SHARED.resolve("medqa"), folder).run(true, false);
    new MedqaPreprocessor(ROOT.resolve("data_clean"), folder, 4, 4000, 10).run(false, true);
  }

  private Datasets load(Stage stage, String... words) {
    var all = new ArrayList<>(List.of("dataset_dir=" + folder, "cutoff_len=1024"));
    all.addAll(List.of(words));
    try (var tokenizer = HuggingFaceTokenizer.open(SHARED.resolve("llama3-tokenizer"))) {
      return Datasets.load(Configs.data(all.toArray(String[]::new)), stage, 42, tokenizer);
    }
  }

  @Test
  void noQuestionIsCutAndOnlyAnswersAreLearned() {
    for (var expected : List.of(List.of("llama3", 2), List.of("alpaca", 3))) {
      var loaded = load(Stage.SFT, "dataset=medqa_sft", "eval_dataset=medqa_dev", "template=" + expected.getFirst());
      assertEquals(List.of(), loaded.notices());
      assertEquals(800, loaded.train().size());
      assertEquals(100, loaded.evaluation().getOrDefault(Datasets.EVAL, List.of()).size());
      for (Example example : loaded.train()) {
        assertEquals(expected.getLast(), example.targets());
        assertTrue(example.length() < 1024);
      }
      double mean = loaded.train().stream().mapToInt(Example::length).average().orElseThrow();
      assertTrue(mean > 200 && mean < 290, expected + ": mean length " + mean);
    }
  }

  @Test
  void textbooksBecomeFullBlocks() {
    var loaded = load(Stage.PT, "stage=pt", "dataset=textbooks_pretrain", "eval_dataset=textbooks_heldout",
        "template=llama3");
    assertTrue(loaded.train().size() > 25, "blocks: " + loaded.train().size());
    for (Example example : loaded.train()) {
      assertEquals(1024, example.length());
      assertArrayEquals(example.inputIds(), example.labels());
      assertEquals(1023, example.targets());
    }
    assertTrue(loaded.notices().stream().allMatch(notice -> notice.contains("after the last full block")),
        loaded.notices().toString());
  }
}
