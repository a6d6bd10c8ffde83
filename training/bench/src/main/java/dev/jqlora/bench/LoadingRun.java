package dev.jqlora.bench;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.model.RandomModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A checkpoint of random weights in a temporary folder, loaded and quantized at each run; deleted in the end. */
final class LoadingRun implements Contender {
  private static final int POSITIONS = 16;

  private final Backend backend;
  private final Path folder;

  LoadingRun(Backend backend, LlamaConfig config) {
    this.backend = backend;
    try {
      folder = Files.createTempDirectory("jqlora-bench");
    } catch (IOException e) {
      throw FileErrors.cannotWrite(Path.of(System.getProperty("java.io.tmpdir", ".")), e);
    }
    try {
      RandomModel.write(folder, config, RandomModel.Storage.BF16, 1);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Bytes of the weights' files. */
  long bytes() {
    long bytes = 0;
    try {
      for (Path file : files()) {
        bytes += file.toString().endsWith(".safetensors") ? Files.size(file) : 0;
      }
    } catch (IOException e) {
      throw FileErrors.cannotRead(folder, e);
    }
    return bytes;
  }

  /** The folder and what it holds, the deepest first. */
  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.sorted(Comparator.reverseOrder()).toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  @Override
  public void run() {
    LoadedModel
        .open(backend, Long.MAX_VALUE, folder, new LoadedModel.Options(Quantization.NF4, POSITIONS, Optional.empty()),
            _ -> {
            })
        .close();
  }

  @Override
  public void close() {
    try {
      for (Path file : files()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(folder, e);
    }
  }
}
