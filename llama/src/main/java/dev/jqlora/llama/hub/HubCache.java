package dev.jqlora.llama.hub;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;

/**
 * A model's part of the cache, in the layout of {@code huggingface_hub}: contents in {@code blobs} by their etag, one
 * folder of links to them for each commit in {@code snapshots}, and in {@code refs} the commit that a branch was last
 * seen at.
 */
record HubCache(Path hub, RepoId repo) {
  /** File locks hold between processes; threads of this one need their own. */
  private static final Lock THREADS = new ReentrantLock();

  static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

  Path folder() {
    return hub.resolve(repo.folder());
  }

  Path snapshot(String commit) {
    return folder().resolve("snapshots").resolve(commit);
  }

  Path blob(String etag) {
    return folder().resolve("blobs").resolve(etag);
  }

  /** What is fetched of a blob so far. */
  static Path incomplete(Path blob) {
    return blob.resolveSibling(blob.getFileName() + ".incomplete");
  }

  /** Bytes of a content of {@code size} bytes that are here already, whole or begun. */
  long present(String etag, long size) {
    if (Files.exists(blob(etag))) {
      return size;
    }
    Path begun = incomplete(blob(etag));
    try {
      return Files.exists(begun) ? Math.min(size, Files.size(begun)) : 0;
    } catch (IOException e) {
      throw FileErrors.cannotRead(begun, e);
    }
  }

  private Path ref(String revision) {
    return folder().resolve("refs").resolve(revision);
  }

  /** The snapshot of a revision, if all of it is there. */
  Optional<Path> complete(String revision) {
    return commit(revision).map(this::snapshot).filter(HubCache::isComplete);
  }

  private Optional<String> commit(String revision) {
    if (COMMIT.matcher(revision).matches()) {
      return Optional.of(revision);
    }
    Path ref = ref(revision);
    if (!Files.isRegularFile(ref)) {
      return Optional.empty();
    }
    try {
      return Optional.of(Files.readString(ref).strip()).filter(text -> COMMIT.matcher(text).matches());
    } catch (IOException e) {
      throw FileErrors.cannotRead(ref, e);
    }
  }

  /**
   * Weights are fetched last, so a snapshot of this program that has them has the rest. Another's may lack the tokenizer, which
   * it fetches when it is asked for.
   */
  private static boolean isComplete(Path snapshot) {
    if (!Files.exists(snapshot.resolve(LlamaConfig.FILE))
        || !Files.exists(snapshot.resolve(TokenizerFiles.TOKENIZER))) {
      return false;
    }
    if (Files.exists(snapshot.resolve(Checkpoint.SINGLE_FILE))) {
      return true;
    }
    Path index = snapshot.resolve(Checkpoint.INDEX_FILE);
    try {
      return Files.exists(index) && Checkpoint.shardNames(index).stream().allMatch(shard -> Files.exists(snapshot
          .resolve(shard)));
    } catch (JqloraException _) {
      return false;
    }
  }

  void remember(String revision, String commit) {
    if (!revision.equals(commit)) {
      AtomicFile.write(ref(revision), commit);
    }
  }

  /** Whether of each file of a commit is known that it is here, or that there is none: another client fetches what it needs. */
  boolean isSettled(String commit, List<String> files) {
    return files.stream().allMatch(file -> Files.exists(snapshot(commit).resolve(file))
        || Files.exists(absent(commit, file)));
  }

  private Path absent(String commit, String file) {
    return folder().resolve(".no_exist").resolve(commit).resolve(file);
  }

  /** Notes that a commit lacks a file, which spares other clients the question. */
  void rememberAbsent(String commit, String file) {
    Path marker = absent(commit, file);
    if (!Files.exists(marker)) {
      AtomicFile.write(marker, "");
    }
  }

  /** Makes a blob visible in a snapshot. */
  void link(String commit, String file, String etag) {
    Path link = snapshot(commit).resolve(file);
    Path folder = Objects.requireNonNull(link.getParent());
    try {
      Files.createDirectories(folder);
      Files.deleteIfExists(link);
      try {
        Files.createSymbolicLink(link, folder.relativize(blob(etag)));
      } catch (UnsupportedOperationException | IOException _) {
        // Windows lets only privileged users make links; a second copy of the weights would cost too much.
        Files.move(blob(etag), link, StandardCopyOption.REPLACE_EXISTING);
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(link, e);
    }
  }

  /** Runs something while no other thread or process of this program does the same for this etag. */
  void locked(String etag, Runnable action) {
    Path locks = hub.resolve(".locks").resolve(repo.folder());
    Path lock = locks.resolve(etag + ".lock");
    THREADS.lock();
    try {
      Files.createDirectories(locks);
      try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          FileLock _ = channel.lock()) {
        action.run();
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(lock, e);
    } finally {
      THREADS.unlock();
    }
  }
}
