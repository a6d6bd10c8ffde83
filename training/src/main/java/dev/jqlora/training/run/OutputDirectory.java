package dev.jqlora.training.run;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.training.config.ResumeFrom;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The rules of LLaMA-Factory for {@code output_dir}: a run goes on by itself from the newest checkpoint there unless
 * {@code overwrite_output_dir} is true, and does not start over a finished model without it.
 */
public final class OutputDirectory {
  private static final List<String> MODEL_FILES = List.of(AdapterFiles.FILE, "adapter_model.bin", "model.safetensors",
      "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json");

  /**
   * What overwriting deletes besides checkpoints. A whole model, tokenizer files and README.md are not among them: the
   * run replaces them, and they may be another's.
   */
  private static final Set<String> DELETED = Set.of(AdapterFiles.FILE, AdapterConfig.FILE, TrainerLog.FILE,
      TrainerState.FILE, "train_results.json", "eval_results.json", "all_results.json");

  private OutputDirectory() {}

  /**
   * Finds where a run begins, and makes its folder ready: made where it is missing, cleared of what a killed run left. An
   * earlier run that is to be overwritten stays until {@link #clear}, so that it is not lost to a run that cannot begin.
   *
   * @param inputs folders that the run reads: the base model, the adapter to continue
   * @throws JqloraException {@code CONFIG} where the folder's content forbids the start, {@code MODEL} where the
   *   checkpoint that was asked for cannot be used
   */
  public static RunStart prepare(Path outputDir, boolean overwrite, ResumeFrom from, List<Path> inputs) {
    if (Files.exists(outputDir) && !Files.isDirectory(outputDir)) {
      throw new JqloraException(Kind.CONFIG, "output_dir %s is a file; expected a folder, or none yet".formatted(
          outputDir));
    }
    Checkpoints checkpoints = new Checkpoints(outputDir);
    if (from instanceof ResumeFrom.Automatic && overwrite) {
      requireNoInput(outputDir, checkpoints, inputs);
      FolderFiles.create(outputDir);
      return new RunStart(Optional.empty(), true, List.of());
    }
    FolderFiles.create(outputDir);
    checkpoints.repair();
    List<String> notices = new ArrayList<>();
    return switch (from) {
      case ResumeFrom.Checkpoint(Path folder) -> {
        SavedRun saved = Checkpoints.read(folder);
        checkpoints.after(saved).forEach(later -> notices.add(
            "%s is later than %s; delete it, or a run without resume_from_checkpoint would go on from there"
                .formatted(later, folder.getFileName())));
        yield new RunStart(Optional.of(saved), false, notices);
      }
      case ResumeFrom.Newest _ -> {
        Optional<SavedRun> newest = checkpoints.newest(notices::add);
        if (newest.isEmpty()) {
          throw new JqloraException(Kind.CONFIG, "resume_from_checkpoint is true, but output_dir %s has %s".formatted(
              outputDir, notices.isEmpty() ? "no checkpoint" : "none to go on from; " + notices.getFirst()));
        }
        yield new RunStart(newest, false, notices);
      }
      case ResumeFrom.Automatic _ -> automatic(outputDir, checkpoints, notices);
    };
  }

  private static RunStart automatic(Path outputDir, Checkpoints checkpoints, List<String> notices) {
    Optional<SavedRun> newest = checkpoints.newest(notices::add);
    if (newest.isEmpty() && !notices.isEmpty()) {
      throw new JqloraException(Kind.CONFIG,
          "output_dir %s has checkpoints, but none to go on from; set overwrite_output_dir: true or choose another; %s"
              .formatted(outputDir, notices.getFirst()));
    }
    Optional<String> model = MODEL_FILES.stream().filter(name -> Files.exists(outputDir.resolve(name))).findFirst();
    if (newest.isEmpty() && model.isPresent()) {
      throw new JqloraException(Kind.CONFIG,
          "output_dir %s holds a model (%s) and no checkpoint; set overwrite_output_dir: true or choose another"
              .formatted(outputDir, model.get()));
    }
    checkpoints.finishedAfter(newest.map(saved -> saved.trainer().globalStep()).orElse(0)).ifPresent(finished -> {
      throw new JqloraException(Kind.CONFIG,
          ("%s is the model of a finished run, and what can be gone on from is earlier; set overwrite_output_dir: true, "
              + "choose another output_dir, or name a checkpoint by resume_from_checkpoint").formatted(finished));
    });
    return new RunStart(newest, false, notices);
  }

  private static void requireNoInput(Path outputDir, Checkpoints checkpoints, List<Path> inputs) {
    Path output = FolderFiles.real(outputDir);
    for (Path input : inputs) {
      if (FolderFiles.real(input).equals(output) || checkpoints.isPlaceOf(input)) {
        throw new JqloraException(Kind.CONFIG,
            "overwrite_output_dir would delete %s, which this run reads; choose another output_dir than %s".formatted(
                input, outputDir));
      }
    }
  }

  /** Deletes an earlier run's checkpoints and files; returns what stays and why, one line each. */
  public static List<String> clear(Path outputDir) {
    List<Path> staying = new Checkpoints(outputDir).deleteOwn();
    for (Path file : FolderFiles.list(outputDir)) {
      String name = file.getFileName().toString();
      if (DELETED.contains(name) || LossPlot.isPlot(name)) {
        delete(file);
      }
    }
    return staying.stream().map("%s is not deleted: it is not only what this program saved"::formatted).toList();
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new JqloraException(Kind.IO, "cannot delete %s for overwrite_output_dir; move it away".formatted(file), e);
    }
  }
}
