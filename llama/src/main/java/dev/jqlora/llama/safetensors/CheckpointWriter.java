package dev.jqlora.llama.safetensors;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Writes the tensors of a model folder in a stream: one {@code model.safetensors}, or, beyond a size, shards
 * {@code model-00001-of-0000N.safetensors} and their index. Nothing of it is in place before {@link #commit}; then the
 * weight files of an earlier save that the new ones do not replace are removed, and what a killed save left. Not
 * thread-safe.
 */
public final class CheckpointWriter implements AutoCloseable {
  /** The shard size of {@code save_pretrained}. */
  public static final long DEFAULT_SHARD_BYTES = 5_000_000_000L;

  private static final Pattern WEIGHT_FILES = Pattern.compile("model(-\\d{5}-of-\\d{5})?\\.safetensors(\\.tmp)?");

  private final Path folder;
  private final Shards shards;

  /** The open writers by file name, and the file of each tensor. */
  private record Shards(Map<String, SafetensorsWriter> writers, Map<String, String> weightMap,
      long totalBytes) {}

  private CheckpointWriter(Path folder, Shards shards) {
    this.folder = folder;
    this.shards = shards;
  }

  public static CheckpointWriter create(Path folder, List<TensorInfo> tensors) {
    return create(folder, tensors, DEFAULT_SHARD_BYTES);
  }

  /**
   * Starts the files of a model.
   *
   * @param tensors what will be written, in the model's order: shards are filled in it
   * @param maximumShardBytes bytes of tensor data after which a next shard begins; a larger tensor gets one alone
   */
  public static CheckpointWriter create(Path folder, List<TensorInfo> tensors, long maximumShardBytes) {
    List<List<TensorInfo>> parts = split(tensors, maximumShardBytes);
    Map<String, SafetensorsWriter> writers = new LinkedHashMap<>();
    Map<String, String> weightMap = new TreeMap<>();
    try {
      for (int i = 0; i < parts.size(); i++) {
        String name = parts.size() == 1
            ? Checkpoint.SINGLE_FILE
            : String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, parts.size());
        writers.put(name, SafetensorsWriter.create(folder.resolve(name), parts.get(i)));
        parts.get(i).forEach(tensor -> weightMap.put(tensor.name(), name));
      }
    } catch (RuntimeException | Error e) {
      writers.values().forEach(SafetensorsWriter::close);
      throw e;
    }
    long totalBytes = tensors.stream().mapToLong(TensorInfo::byteSize).sum();
    return new CheckpointWriter(folder, new Shards(writers, weightMap, totalBytes));
  }

  private static List<List<TensorInfo>> split(List<TensorInfo> tensors, long maximumShardBytes) {
    List<List<TensorInfo>> parts = new ArrayList<>();
    parts.add(new ArrayList<>());
    long filled = 0;
    for (TensorInfo tensor : tensors) {
      if (!parts.getLast().isEmpty() && filled + tensor.byteSize() > maximumShardBytes) {
        parts.add(new ArrayList<>());
        filled = 0;
      }
      parts.getLast().add(tensor);
      filled += tensor.byteSize();
    }
    return parts;
  }

  /** Adds the next bytes of a declared tensor; one call may hold all of it. */
  public void append(String name, MemorySegment bytes) {
    String shard = shards.weightMap().get(name);
    SafetensorsWriter writer = shard == null ? null : shards.writers().get(shard);
    if (writer == null) {
      throw new IllegalArgumentException("tensor " + name + " was not declared");
    }
    writer.append(name, bytes);
  }

  /** Puts all files in their places, the index last. */
  public void commit() {
    shards.writers().values().forEach(SafetensorsWriter::commit);
    boolean sharded = shards.writers().size() > 1;
    if (sharded) {
      AtomicFile.write(folder.resolve(Checkpoint.INDEX_FILE), index());
    }
    removeEarlier(sharded);
  }

  private String index() {
    ObjectNode index = JsonNodeFactory.instance.objectNode();
    index.putObject("metadata").put("total_size", shards.totalBytes());
    ObjectNode weightMap = index.putObject(Checkpoint.WEIGHT_MAP);
    shards.weightMap().forEach(weightMap::put);
    return JsonObject.pretty(index);
  }

  private void removeEarlier(boolean sharded) {
    try (DirectoryStream<Path> present = Files.newDirectoryStream(folder, file -> WEIGHT_FILES.matcher(file
        .getFileName().toString()).matches())) {
      for (Path file : present) {
        if (!shards.writers().containsKey(file.getFileName().toString())) {
          Files.delete(file);
        }
      }
      if (!sharded) {
        Files.deleteIfExists(folder.resolve(Checkpoint.INDEX_FILE));
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(folder, e);
    }
  }

  @Override
  public void close() {
    shards.writers().values().forEach(SafetensorsWriter::close);
  }
}
