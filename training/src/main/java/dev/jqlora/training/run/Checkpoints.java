package dev.jqlora.training.run;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The {@code checkpoint-N} folders of a run. One is written as the hidden sibling {@code .checkpoint-N.new}, forced to
 * disk and renamed, so that after a crash at any moment there is the old state or the new one, whole; {@link #repair}
 * clears away what the crash left. A folder that holds anything else than what a save put there is never deleted.
 */
public final class Checkpoints {
  private static final Pattern FOLDER = Pattern.compile("checkpoint-(\\d{1,9})");
  private static final Pattern INTERRUPTED = Pattern.compile("\\.(checkpoint-\\d{1,9})\\.(new|old|gone)");
  private static final String NEW = "new";
  /** What a new folder of the same step replaces, until the new one is in place. */
  private static final String OLD = "old";
  /** What is being deleted. */
  private static final String GONE = "gone";

  private final Path outputDir;

  public Checkpoints(Path outputDir) {
    this.outputDir = outputDir;
  }

  /** The folder of a checkpoint after so many optimizer steps. */
  public Path folder(int step) {
    return outputDir.resolve("checkpoint-" + step);
  }

  private Path hidden(Path folder, String stage) {
    return outputDir.resolve("." + folder.getFileName() + "." + stage);
  }

  /** Every folder that is named like a checkpoint, by step; whoever made it. */
  TreeMap<Integer, Path> folders() {
    TreeMap<Integer, Path> folders = new TreeMap<>();
    for (Path entry : FolderFiles.list(outputDir)) {
      Matcher name = FOLDER.matcher(entry.getFileName().toString());
      if (name.matches() && Files.isDirectory(entry)) {
        folders.put(Integer.parseInt(name.group(1)), entry);
      }
    }
    return folders;
  }

  /**
   * Where a checkpoint lies that another one of the same run names: beside that one, since the run's folder may have been
   * moved; else where it was; empty where it is gone.
   *
   * @param from the checkpoint that names it
   */
  public static Optional<Path> find(String named, Path from) {
    Path folder = Path.of(named);
    return Stream.of(from.resolveSibling(folder.getFileName()), folder).filter(Files::isDirectory).findFirst();
  }

  /** Clears away what a killed run left behind; a folder that was about to be replaced comes back. */
  public void repair() {
    for (Path entry : FolderFiles.list(outputDir)) {
      Matcher name = INTERRUPTED.matcher(entry.getFileName().toString());
      if (name.matches()) {
        Path folder = outputDir.resolve(name.group(1));
        if (name.group(2).equals(OLD) && !Files.exists(folder)) {
          FolderFiles.rename(entry, folder);
        } else {
          FolderFiles.delete(entry);
        }
      }
    }
  }

  /**
   * The newest checkpoint that is whole and can be resumed from.
   *
   * @param notices is told of each newer folder that is passed over, and why
   */
  public Optional<SavedRun> newest(Consumer<String> notices) {
    for (Path folder : folders().descendingMap().values()) {
      try {
        return Optional.of(read(folder));
      } catch (JqloraException e) {
        notices.accept("checkpoint passed over: " + e.getMessage());
      }
    }
    return Optional.empty();
  }

  /** A checkpoint of the model only that ended a run after a step: nothing is left to be done from an earlier one. */
  Optional<Path> finishedAfter(int step) {
    return folders().tailMap(step, false).values().stream().filter(Checkpoints::isFinishedModel).findFirst();
  }

  private static boolean isFinishedModel(Path folder) {
    try {
      return CheckpointManifest.read(folder).resume().isEmpty() && TrainerState.read(folder).finished();
    } catch (JqloraException _) {
      return false;
    }
  }

  /** Own checkpoints of later steps than one of this run, which another course of it has left there. */
  List<Path> after(SavedRun saved) {
    return isPlaceOf(saved.folder())
        ? folders().tailMap(saved.trainer().globalStep(), false).values().stream().filter(CheckpointManifest::isAllOf)
            .toList()
        : List.of();
  }

  /**
   * Reads a checkpoint and checks all of it.
   *
   * @throws JqloraException {@code MODEL} where it is not whole, not this program's, or holds the model only
   */
  public static SavedRun read(Path folder) {
    CheckpointManifest manifest = CheckpointManifest.read(folder);
    ResumeState resume = manifest.resume().orElseThrow(() -> new JqloraException(Kind.MODEL,
        "%s was saved with save_only_model: true and cannot be resumed; give it as adapter_name_or_path instead"
            .formatted(folder)));
    manifest.checkFiles(folder);
    TrainerState trainer = TrainerState.read(folder);
    if (trainer.globalStep() != resume.globalStep()) {
      throw new JqloraException(Kind.MODEL, "%s is of step %d by its %s, but of step %d by its %s; it is not usable"
          .formatted(folder, trainer.globalStep(), TrainerState.FILE, resume.globalStep(), CheckpointManifest.FILE));
    }
    return new SavedRun(folder, trainer, resume);
  }

  /**
   * Saves a checkpoint. A folder that is already there is replaced where it was a save's, else put aside as
   * {@code checkpoint-N.kept}.
   *
   * @param resume absent for a checkpoint of the model only
   * @param files writes the weights, {@link SessionStates#FILE} and all else that belongs into the folder it is given;
   *   plain files only
   * @return the folder
   */
  public Path save(TrainerState trainer, Optional<ResumeState> resume, Consumer<Path> files) {
    Path folder = folder(trainer.globalStep());
    Path fresh = hidden(folder, NEW);
    deleteIfThere(fresh);
    FolderFiles.create(fresh);
    files.accept(fresh);
    trainer.write(fresh);
    CheckpointManifest.of(fresh, resume).write(fresh);
    FolderFiles.force(fresh);
    Path old = hidden(folder, OLD);
    if (Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
      deleteIfThere(old);
      FolderFiles.rename(folder, CheckpointManifest.isAllOf(folder) ? old : kept(folder));
    }
    FolderFiles.rename(fresh, folder);
    FolderFiles.forceEntries(outputDir);
    if (Files.exists(old)) {
      discard(old, folder);
    }
    return folder;
  }

  private static Path kept(Path folder) {
    Path kept = folder.resolveSibling(folder.getFileName() + ".kept");
    for (int i = 2; Files.exists(kept, LinkOption.NOFOLLOW_LINKS); i++) {
      kept = folder.resolveSibling(folder.getFileName() + ".kept" + i);
    }
    return kept;
  }

  /**
   * Deletes the oldest checkpoints beyond a limit, by the rules of transformers: the best one is kept, and the newest
   * too, so with a limit of 1 there may be two. Folders that hold foreign files neither count nor go.
   *
   * @param limit checkpoints to keep, at least 1
   * @param saved folder of the checkpoint just saved: the newest, though a run that was resumed from an older one may have
   *   left some of later steps
   * @param best folder of the best checkpoint, if there is one
   */
  public void rotate(int limit, Path saved, Optional<Path> best) {
    List<Path> own = new ArrayList<>(folders().values().stream().filter(CheckpointManifest::isAllOf).toList());
    // What follows it by its step is left of an earlier course of the run, and older than all of this one.
    Collections.rotate(own, own.size() - 1 - own.indexOf(saved));
    Optional<Path> bestOwn = best.map(path -> path.toAbsolutePath().normalize()).flatMap(path -> own.stream().filter(
        folder -> folder.toAbsolutePath().normalize().equals(path)).findFirst());
    boolean bestIsOlder = bestOwn.isPresent() && !own.getLast().equals(bestOwn.get());
    if (bestIsOlder) {
      own.remove(bestOwn.get());
      own.add(own.size() - 1, bestOwn.get());
    }
    int kept = bestIsOlder ? Math.max(2, limit) : limit;
    own.subList(0, Math.max(0, own.size() - kept)).forEach(this::delete);
  }

  /** Deletes every checkpoint that is all this program's, and all that a killed save left; returns what stays. */
  List<Path> deleteOwn() {
    repair();
    folders().values().stream().filter(CheckpointManifest::isAllOf).forEach(this::delete);
    return List.copyOf(folders().values());
  }

  private void delete(Path folder) {
    discard(folder, folder);
  }

  /** Renames first, so that a half-deleted folder is never taken for a checkpoint. */
  private void discard(Path path, Path folder) {
    Path gone = hidden(folder, GONE);
    deleteIfThere(gone);
    FolderFiles.rename(path, gone);
    FolderFiles.delete(gone);
  }

  private static void deleteIfThere(Path path) {
    if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      FolderFiles.delete(path);
    }
  }

  /** Whether a folder is one of this run's checkpoints by its place and name. */
  boolean isPlaceOf(Path path) {
    Path real = FolderFiles.real(path);
    return Objects.equals(real.getParent(), FolderFiles.real(outputDir))
        && FOLDER.matcher(real.getFileName().toString()).matches();
  }
}
