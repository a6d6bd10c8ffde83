package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.config.ResumeFrom;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputDirectoryTest {
  private static final ResumeFrom AUTOMATIC = new ResumeFrom.Automatic();

  @TempDir
  Path outputDir;
  private final TinyRun run = new TinyRun(1);

  @AfterEach
  void close() {
    run.close();
  }

  private RunStart prepare(boolean overwrite, ResumeFrom from, Path... inputs) {
    return OutputDirectory.prepare(outputDir, overwrite, from, List.of(inputs));
  }

  private void refused(Kind kind, String part, boolean overwrite, ResumeFrom from, Path... inputs) {
    JqloraException error = assertThrows(JqloraException.class, () -> prepare(overwrite, from, inputs));
    assertEquals(kind, error.kind());
    assertTrue(String.valueOf(error.getMessage()).contains(part), error.getMessage());
    assertEquals(1, String.valueOf(error.getMessage()).lines().count());
  }

  private int resumed(RunStart start) {
    return start.resume().map(saved -> saved.trainer().globalStep()).orElse(0);
  }

  @Test
  void startsInANewFolder() {
    Path fresh = outputDir.resolve("a/b");
    assertEquals(0, resumed(OutputDirectory.prepare(fresh, false, AUTOMATIC, List.of())));
    assertTrue(Files.isDirectory(fresh));
  }

  @Test
  void goesOnByItself() {
    Checkpoints checkpoints = new Checkpoints(outputDir);
    run.save(checkpoints, 2);
    run.save(checkpoints, 4);
    assertEquals(4, resumed(prepare(false, AUTOMATIC)));
    assertEquals(4, resumed(prepare(true, new ResumeFrom.Newest())));
    assertEquals(2, resumed(prepare(false, new ResumeFrom.Checkpoint(checkpoints.folder(2)))));
  }

  @Test
  void passesOverADamagedCheckpointWithANotice() throws IOException {
    Checkpoints checkpoints = new Checkpoints(outputDir);
    run.save(checkpoints, 2);
    Files.delete(run.save(checkpoints, 4).resolve(SessionStates.FILE));
    RunStart start = prepare(false, AUTOMATIC);
    assertEquals(2, resumed(start));
    assertEquals(1, start.notices().size());
  }

  @Test
  void doesNotTrainOverAFinishedModel() throws IOException {
    Files.writeString(outputDir.resolve("README.md"), "");
    assertEquals(0, resumed(prepare(false, AUTOMATIC)));
    Files.writeString(outputDir.resolve("adapter_model.safetensors"), "");
    refused(Kind.CONFIG, "holds a model (adapter_model.safetensors) and no checkpoint", false, AUTOMATIC);
  }

  @Test
  void doesNotStartAnewWhereCheckpointsCannotBeUsed() throws IOException {
    Files.createDirectory(outputDir.resolve("checkpoint-7"));
    refused(Kind.CONFIG, "none to go on from", false, AUTOMATIC);
    refused(Kind.CONFIG, "none to go on from", false, new ResumeFrom.Newest());
    refused(Kind.MODEL, "checkpoint-7 has no jqlora_state.json", false, new ResumeFrom.Checkpoint(outputDir.resolve(
        "checkpoint-7")));
    refused(Kind.MODEL, "expected a checkpoint-N", false, new ResumeFrom.Checkpoint(outputDir.resolve("nowhere")));
  }

  /** A stop saves all even under save_only_model; a run that went on from there to its end is not run again. */
  @Test
  void aFinishedRunIsNotGoneOnFromAnEarlierStop() {
    Checkpoints checkpoints = new Checkpoints(outputDir);
    run.save(checkpoints, 2);
    run.saveModelOnly(checkpoints, 4);
    RunStart start = prepare(false, AUTOMATIC);
    assertEquals(2, resumed(start), "not finished: so much is left to be done");
    assertEquals(1, start.notices().size());
    run.saveModelOnly(checkpoints, 10);
    refused(Kind.CONFIG, "checkpoint-10 is the model of a finished run", false, AUTOMATIC);
    assertEquals(2, resumed(prepare(false, new ResumeFrom.Checkpoint(checkpoints.folder(2)))));
    assertEquals(2, resumed(prepare(false, new ResumeFrom.Newest())));
  }

  @Test
  void whatAnotherCourseLeftIsNamed() {
    Checkpoints checkpoints = new Checkpoints(outputDir);
    run.save(checkpoints, 2);
    run.save(checkpoints, 4);
    run.save(checkpoints, 10);
    RunStart start = prepare(false, new ResumeFrom.Checkpoint(checkpoints.folder(4)));
    assertEquals(
        List.of("%s is later than checkpoint-4; delete it, or a run without resume_from_checkpoint would go on "
            .formatted(checkpoints.folder(10)) + "from there"),
        start.notices());
    assertEquals(List.of(), prepare(false, new ResumeFrom.Checkpoint(checkpoints.folder(10))).notices());
  }

  @Test
  void resumeNeedsACheckpoint() {
    refused(Kind.CONFIG, "has no checkpoint", false, new ResumeFrom.Newest());
  }

  @Test
  void overwritingDeletesTheRunAndNothingElse() throws IOException {
    Checkpoints checkpoints = new Checkpoints(outputDir);
    run.save(checkpoints, 2);
    run.saveModelOnly(checkpoints, 3);
    Files.writeString(run.save(checkpoints, 4).resolve("notes.txt"), "mine");
    Files.createDirectory(outputDir.resolve(".checkpoint-6.new"));
    run.write(outputDir);
    TinyRun.state(4).write(outputDir);
    TrainerLog.start(outputDir).close();
    for (String name : List.of("train_results.json", "all_results.json", "training_loss.png",
        "training_eval_a_loss.png", "thesis.tex", "README.md",
        "model.safetensors", "tokenizer.json")) {
      Files.writeString(outputDir.resolve(name), "");
    }
    Files.createDirectory(outputDir.resolve("data"));
    RunStart start = prepare(true, AUTOMATIC, outputDir.resolve("data"), outputDir.resolveSibling("base"));
    assertEquals(0, resumed(start));
    assertTrue(start.overwrites());
    assertTrue(Files.exists(checkpoints.folder(2)), "a run that cannot begin after all must not have deleted it");
    assertEquals(1, OutputDirectory.clear(outputDir).size());
    try (Stream<Path> entries = Files.list(outputDir)) {
      assertEquals(List.of("README.md", "checkpoint-4", "data", "model.safetensors", "optimizer.safetensors",
          "thesis.tex", "tokenizer.json"), entries.map(entry -> entry.getFileName().toString()).sorted().toList());
    }
    assertTrue(Files.exists(outputDir.resolve("checkpoint-4/notes.txt")));
  }

  @Test
  void overwritingSparesWhatTheRunReads() throws IOException {
    Path checkpoint = run.save(new Checkpoints(outputDir), 2);
    refused(Kind.CONFIG, "which this run reads", true, AUTOMATIC, checkpoint);
    refused(Kind.CONFIG, "which this run reads", true, AUTOMATIC, outputDir.resolve("x/.."));
    Path link = Files.createSymbolicLink(outputDir.resolve("link"), checkpoint);
    refused(Kind.CONFIG, "which this run reads", true, AUTOMATIC, link);
    assertTrue(Files.exists(checkpoint));
  }

  @Test
  void aFileIsNoFolder() throws IOException {
    Path file = Files.writeString(outputDir.resolve("file"), "");
    JqloraException error = assertThrows(JqloraException.class, () -> OutputDirectory.prepare(file, true, AUTOMATIC,
        List.of()));
    assertEquals(Kind.CONFIG, error.kind());
  }
}
