package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.training.schedule.PlateauState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
  @TempDir
  Path outputDir;
  private Checkpoints checkpoints;
  private final TinyRun run = new TinyRun(1);

  @BeforeEach
  void open() {
    checkpoints = new Checkpoints(outputDir);
  }

  @AfterEach
  void close() {
    run.close();
  }

  private List<String> entries() throws IOException {
    try (Stream<Path> entries = Files.list(outputDir)) {
      return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
    }
  }

  private SavedRun newest() {
    List<String> notices = new ArrayList<>();
    SavedRun newest = checkpoints.newest(notices::add).orElseThrow();
    assertEquals(List.of(), notices);
    return newest;
  }

  @Test
  void everythingComesBackToTheBit() {
    TrainerState trainer = TinyRun.state(4);
    ResumeState resume = new ResumeState(4, new LossSums(Math.PI, Math.nextUp(1.0), 3), Optional.of(new PlateauState(
        1e-5, Double.POSITIVE_INFINITY, 2, 1)), 0.1 + 0.2, new TreeMap<>(TinyRun.FIXED));
    Path folder = checkpoints.save(trainer, Optional.of(resume), run::write);
    assertEquals(new SavedRun(folder, trainer, resume), newest());
    try (TinyRun other = new TinyRun(5)) {
      other.load(folder);
      assertEquals(1, other.value());
    }
  }

  @Test
  void equalStatesGiveEqualFiles() throws IOException {
    run.save(checkpoints, 2);
    Path other = Files.createDirectory(outputDir.resolve("other"));
    run.save(new Checkpoints(other), 2);
    for (String name : List.of("adapter_model.safetensors", "optimizer.safetensors", "jqlora_state.json")) {
      assertArrayEquals(Files.readAllBytes(outputDir.resolve("checkpoint-2").resolve(name)), Files.readAllBytes(other
          .resolve("checkpoint-2").resolve(name)));
    }
  }

  @Test
  void theNewestByNumberCounts() {
    for (int step : List.of(9, 10, 2)) {
      run.save(checkpoints, step);
    }
    assertEquals(10, newest().trainer().globalStep());
  }

  @Test
  void aSaveThatDiesLeavesTheStateBefore() throws IOException {
    run.save(checkpoints, 2);
    assertThrows(StackOverflowError.class, () -> checkpoints.save(TinyRun.state(4), Optional.of(TinyRun.resume(4)),
        folder -> {
          run.write(folder);
          throw new StackOverflowError("stands for the kill");
        }));
    assertEquals(List.of(".checkpoint-4.new", "checkpoint-2"), entries());
    assertEquals(2, newest().trainer().globalStep());
    checkpoints.repair();
    assertEquals(List.of("checkpoint-2"), entries());
    run.save(checkpoints, 4);
    assertEquals(4, newest().trainer().globalStep());
  }

  @Test
  void aReplacementThatDiesLeavesTheOldOrTheNew() throws IOException {
    Path folder = run.save(checkpoints, 2);
    // Killed after the old folder was renamed away, before the new one was renamed into its place.
    Files.createDirectory(outputDir.resolve(".checkpoint-2.new"));
    Files.move(folder, outputDir.resolve(".checkpoint-2.old"));
    checkpoints.repair();
    assertEquals(List.of("checkpoint-2"), entries());
    assertEquals(2, newest().trainer().globalStep());
    // Killed after the new folder is in its place, before the old one was deleted.
    Files.createDirectory(outputDir.resolve(".checkpoint-2.old"));
    Files.createDirectory(outputDir.resolve(".checkpoint-1.gone"));
    Files.writeString(outputDir.resolve(".checkpoint-1.gone/adapter_model.safetensors"), "");
    checkpoints.repair();
    assertEquals(List.of("checkpoint-2"), entries());
  }

  @Test
  void repairLeavesOtherHiddenFiles() throws IOException {
    List<String> names = List.of(".checkpoint-2.mine", ".checkpoint-x.new", ".gitignore", "checkpoint-3.new");
    for (String name : names) {
      Files.writeString(outputDir.resolve(name), "");
    }
    checkpoints.repair();
    assertEquals(names, entries());
  }

  @Test
  void theSameStepIsReplaced() throws IOException {
    run.save(checkpoints, 2);
    try (TinyRun other = new TinyRun(5)) {
      other.save(checkpoints, 2);
      run.load(outputDir.resolve("checkpoint-2"));
      assertEquals(5, run.value());
    }
    assertEquals(List.of("checkpoint-2"), entries());
  }

  @Test
  void aForeignFolderOfTheSameNameIsPutAside() throws IOException {
    for (int i = 0; i < 2; i++) {
      Files.createDirectory(outputDir.resolve("checkpoint-2"));
      Files.writeString(outputDir.resolve("checkpoint-2/optimizer.pt"), "theirs");
      run.save(checkpoints, 2);
      Files.move(outputDir.resolve("checkpoint-2"), outputDir.resolve("saved" + i));
    }
    assertEquals(List.of("checkpoint-2.kept", "checkpoint-2.kept2", "saved0", "saved1"), entries());
    assertEquals("theirs", Files.readString(outputDir.resolve("checkpoint-2.kept2/optimizer.pt")));
  }

  @Test
  void rotationKeepsTheNewestAndTheBest() throws IOException {
    for (int step = 1; step <= 5; step++) {
      run.save(checkpoints, step);
    }
    Path newest = checkpoints.folder(5);
    checkpoints.rotate(9, newest, Optional.empty());
    assertEquals(5, entries().size());
    checkpoints.rotate(4, newest, Optional.of(checkpoints.folder(1)));
    assertEquals(List.of("checkpoint-1", "checkpoint-3", "checkpoint-4", "checkpoint-5"), entries());
    checkpoints.rotate(2, newest, Optional.of(checkpoints.folder(3)));
    assertEquals(List.of("checkpoint-3", "checkpoint-5"), entries());
    checkpoints.rotate(1, newest, Optional.of(checkpoints.folder(3)));
    assertEquals(List.of("checkpoint-3", "checkpoint-5"), entries());
    checkpoints.rotate(1, newest, Optional.of(newest));
    assertEquals(List.of("checkpoint-5"), entries());
    checkpoints.rotate(1, run.save(checkpoints, 6), Optional.of(checkpoints.folder(77)));
    assertEquals(List.of("checkpoint-6"), entries());
  }

  @Test
  void rotationNeitherCountsNorDeletesForeignFolders() throws IOException {
    for (int step = 1; step <= 3; step++) {
      run.save(checkpoints, step);
    }
    Files.writeString(outputDir.resolve("checkpoint-1/notes.txt"), "mine");
    Files.createDirectory(outputDir.resolve("checkpoint-9"));
    checkpoints.rotate(1, checkpoints.folder(3), Optional.empty());
    assertEquals(List.of("checkpoint-1", "checkpoint-3", "checkpoint-9"), entries());
  }

  /** A run that went on from an older checkpoint leaves others of later steps, which are older all the same. */
  @Test
  void rotationNeverDeletesWhatWasJustSaved() throws IOException {
    for (int step : new int[]{1, 3, 4}) {
      run.save(checkpoints, step);
    }
    Path saved = run.save(checkpoints, 2);
    checkpoints.rotate(2, saved, Optional.empty());
    assertEquals(List.of("checkpoint-1", "checkpoint-2"), entries());
    checkpoints.rotate(1, saved, Optional.empty());
    assertEquals(List.of("checkpoint-2"), entries());
  }

  @Test
  void aCheckpointIsFoundWhereItsFolderWasMoved() throws IOException {
    run.save(checkpoints, 2);
    Path from = checkpoints.folder(4);
    assertEquals(Optional.of(checkpoints.folder(2)), Checkpoints.find("elsewhere/checkpoint-2", from));
    Path other = Files.createDirectory(outputDir.resolve("other"));
    assertEquals(Optional.of(other), Checkpoints.find(other.toString(), outputDir.resolve("new/checkpoint-4")));
    assertEquals(Optional.empty(), Checkpoints.find("elsewhere/checkpoint-3", from));
  }

  @Test
  void whatCannotBeResumedIsPassedOverWithAReason() throws IOException {
    run.save(checkpoints, 1);
    run.saveModelOnly(checkpoints, 2);
    Path cut = run.save(checkpoints, 3).resolve(SessionStates.FILE);
    Files.write(cut, Arrays.copyOf(Files.readAllBytes(cut), 40));
    Files.createDirectory(outputDir.resolve("checkpoint-4"));
    Files.writeString(outputDir.resolve("checkpoint-4/optimizer.pt"), "");
    List<String> notices = new ArrayList<>();
    assertEquals(1, checkpoints.newest(notices::add).orElseThrow().trainer().globalStep());
    assertEquals(3, notices.size());
    assertTrue(notices.get(0).contains("checkpoint-4 has no jqlora_state.json"), notices.get(0));
    assertTrue(notices.get(1).contains("optimizer.safetensors has 40 bytes"), notices.get(1));
    assertTrue(notices.get(2).contains("save_only_model"), notices.get(2));
  }

  @Test
  void theRunToComeMustBeTheOneThatWasSaved() {
    ResumeState state = TinyRun.resume(3);
    Path folder = Path.of("out/checkpoint-3");
    state.requireSame(TinyRun.FIXED, folder);
    var changed = assertThrows(dev.jqlora.engine.error.JqloraException.class, () -> state.requireSame(Map.of("seed",
        "42", "data", "xyz"), folder));
    assertEquals(dev.jqlora.engine.error.JqloraException.Kind.CONFIG, changed.kind());
    assertEquals("out/checkpoint-3 was saved with data \"abc\", now it is \"xyz\"; go on with the same value, or start "
        + "anew with overwrite_output_dir: true", changed.getMessage());
    var removed = assertThrows(dev.jqlora.engine.error.JqloraException.class, () -> state.requireSame(Map.of("seed",
        "42"), folder));
    assertTrue(String.valueOf(removed.getMessage()).contains("data \"abc\", now it is not set"), removed.getMessage());
    state.requireSame(Map.of("seed", "42", "data", "abc", "of a later version", "1"), folder);
  }
}
