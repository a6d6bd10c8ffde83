package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.training.config.TrainerArguments;
import dev.jqlora.training.config.TrainingArguments;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The words after {@code train}. */
class TrainCommandTest {
  @TempDir
  private Path folder;

  private String yaml = "";

  @BeforeEach
  void writeConfiguration() throws IOException {
    yaml = Files.writeString(folder.resolve("run.yaml"), "model_name_or_path: %s\noutput_dir: %s\n".formatted(folder
        .resolve("model"), folder.resolve("out"))).toString();
  }

  @Test
  void keysMayBeWrittenAsWordsOrAsOptions() {
    Shell.run("train", yaml, "lora_rnk=4").failed(3, "lora_rnk", "lora_rank");
    Shell.run("train", yaml, "--lora_rnk", "4").failed(3, "lora_rnk", "lora_rank");
    Shell.run("train", yaml, "--threads", "many").failed(3, "threads", "many");
    Shell.run("train", yaml, "--threads=0").failed(3, "threads", "0");
  }

  @Test
  void aBackendThatIsNotThereIsAWrongConfiguration() {
    String[] run = {"train", yaml, "do_train=true", "stage=pt", "dataset=d", "model_name_or_path=nobody/no-model"};
    Shell.run(Stream.concat(Stream.of(run), Stream.of("backend=gpu")).toArray(String[]::new)).failed(3,
        "backend is \"gpu\"", "cpu");
    run[0] = "plan";
    Shell.run(Stream.concat(Stream.of(run), Stream.of("backend=gpu")).toArray(String[]::new)).failed(3,
        "backend is \"gpu\"");
  }

  /** Of the model nothing is there but its configuration: whatever else were read first would be missed first. */
  @Test
  void anAdapterOfAnotherModelIsToldBeforeAnythingElseOfTheModelIsRead() throws IOException {
    Path model = Files.createDirectories(folder.resolve("model"));
    Files.writeString(model.resolve("config.json"), """
        {"model_type": "llama", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 96,
         "num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 2}""");
    Path adapter = Shell.data("golden/lora/initial");
    Shell.run("train", yaml, "do_train=true", "stage=pt", "dataset=d", "adapter_name_or_path=" + adapter)
        .failed(5, "adapter_model.safetensors", "lora_A");
    Shell.run("evaluate", "--model", model.toString(), "--adapter", "other=" + adapter, "--text", yaml, "--output",
        folder.resolve("evaluation").toString()).failed(5, "adapter_model.safetensors", "lora_A");
  }

  @Test
  void aConfigurationThatIsNotThereIsOneLine() {
    Shell.run("train", folder.resolve("absent.yaml").toString()).failed(9, "absent.yaml");
  }

  @Test
  void whatNeitherTrainsNorEvaluatesIsRefused() {
    Shell.run("train", yaml).failed(3, "neither do_train nor do_eval is true", "do_train=true", "do_eval=true");
    Shell.run("train", "model_name_or_path=" + folder.resolve("model"), "stage=sft").failed(3,
        "neither do_train nor do_eval is true");
  }

  @Test
  void aModelWithoutAFileChangesBothStages() throws IOException {
    Files.createDirectories(folder.resolve("configs"));
    Files.writeString(folder.resolve("configs/stage1_pretrain.yaml"), "lora_rnk: 4\n");
    System.setProperty("jqlora.home", folder.toString());
    try {
      Shell.run("train", "--model_name_or_path", folder.resolve("model").toString()).failed(3,
          "stage1_pretrain.yaml:1", "lora_rnk");
    } finally {
      System.clearProperty("jqlora.home");
    }
  }

  @Test
  void wordsAreAConfigurationWhereTheySayModelAndWork() {
    for (String work : List.of("stage=sft", "--do_train", "--do-train=true", "do_eval=true", "--dataset=rows")) {
      assertTrue(TrainCommand.isConfiguration(List.of("model_name_or_path=m", work)), work);
      assertTrue(TrainCommand.isConfiguration(List.of("--model-name-or-path", "m", work)), work);
      assertTrue(TrainCommand.isConfiguration(List.of(work, "--model_name_or_path=m")), work);
      assertFalse(TrainCommand.isConfiguration(List.of(work)), work);
      assertFalse(TrainCommand.isConfiguration(List.of(work, "output_dir=model_name_or_path")), work);
    }
    assertFalse(TrainCommand.isConfiguration(List.of()));
    assertFalse(TrainCommand.isConfiguration(List.of("model_name_or_path=m")));
    assertFalse(TrainCommand.isConfiguration(List.of("model_name_or_path=m", "eval_dataset=rows", "dataset_dir=data")));
    assertFalse(TrainCommand.isConfiguration(List.of("model_name_or_path=m", "--output_dir", "stage")));
  }

  @Test
  void aStoppedRunSaysWhatGoesOn() {
    String same = "the same command goes on from there";
    assertEquals(same, TrainCommand.goesOn(trainer(), 7, null));
    assertEquals(same, TrainCommand.goesOn(trainer(), 7, "configs/stage2_sft.yaml"));
    assertEquals(same,
        TrainCommand.goesOn(trainer("resume_from_checkpoint=true", "overwrite_output_dir=true"), 7, null));
    Path saved = trainer().outputDir().resolve("checkpoint-7");
    String resuming = "the same command with resume_from_checkpoint=" + saved + " goes on from there";
    assertEquals(resuming, TrainCommand.goesOn(trainer("overwrite_output_dir=true"), 7, null));
    assertEquals(resuming, TrainCommand.goesOn(trainer("resume_from_checkpoint=out/checkpoint-5"), 7, null));
    String stage = "configs/stage1_pretrain.yaml";
    assertEquals("the same command for " + stage + " with resume_from_checkpoint=" + saved + " goes on from there",
        TrainCommand.goesOn(trainer("overwrite_output_dir=true"), 7, stage));
    for (String noWayBack : List.of("save_only_model=true", "save_strategy=no", "resume_from_checkpoint=true")) {
      assertEquals(same, TrainCommand.goesOn(trainer(noWayBack), 7, null));
      assertEquals("the same command for " + stage + " goes on from there",
          TrainCommand.goesOn(trainer(noWayBack), 7, stage));
    }
  }

  private TrainerArguments trainer(String... words) {
    return TrainingArguments.read(Path.of(yaml), List.of(words)).trainer();
  }
}
