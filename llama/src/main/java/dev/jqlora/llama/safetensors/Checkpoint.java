package dev.jqlora.llama.safetensors;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;

/**
 * The tensors of a model folder: {@code model.safetensors}, or the shards that {@code model.safetensors.index.json}
 * lists. All files are mapped and checked on opening; tensors are views that end with {@link #close}. Safe for use by
 * several threads.
 */
public final class Checkpoint implements AutoCloseable {
  public static final String SINGLE_FILE = "model.safetensors";
  public static final String INDEX_FILE = "model.safetensors.index.json";

  static final String WEIGHT_MAP = "weight_map";
  private static final String SUFFIX = ".safetensors";

  private final Path path;
  private final List<SafetensorsFile> files;
  private final SequencedMap<String, StoredTensor> tensors;

  private Checkpoint(Path path, List<SafetensorsFile> files, SequencedMap<String, StoredTensor> tensors) {
    this.path = path;
    this.files = files;
    this.tensors = Collections.unmodifiableSequencedMap(tensors);
  }

  /** Opens a model folder, one safetensors file, or an index file. */
  public static Checkpoint open(Path path) {
    if (!Files.exists(path)) {
      throw new JqloraException(Kind.MODEL, "%s does not exist; expected a model folder or a safetensors file"
          .formatted(path));
    }
    if (!Files.isDirectory(path)) {
      return path.toString().endsWith(".json") ? openShards(path) : openSingle(path);
    }
    Path single = path.resolve(SINGLE_FILE);
    if (Files.exists(single)) {
      return openSingle(single);
    }
    Path index = path.resolve(INDEX_FILE);
    if (Files.exists(index)) {
      return openShards(index);
    }
    boolean pickled = Files.exists(path.resolve("pytorch_model.bin")) || Files.exists(path.resolve(
        "pytorch_model.bin.index.json"));
    throw new JqloraException(Kind.MODEL, "%s holds neither %s nor %s%s".formatted(path, SINGLE_FILE, INDEX_FILE,
        pickled
            ? "; its pytorch_model.bin is a Python pickle, which is not read: fetch the model's safetensors files"
            : "; expected a folder in the Hugging Face layout"));
  }

  private static Checkpoint openSingle(Path path) {
    SafetensorsFile file = SafetensorsFile.open(path);
    return new Checkpoint(path, List.of(file), file.tensors());
  }

  private static Checkpoint openShards(Path index) {
    Map<String, String> weightMap = readIndex(index);
    Map<String, SafetensorsFile> shards = new LinkedHashMap<>();
    try {
      SequencedMap<String, StoredTensor> tensors = new LinkedHashMap<>();
      weightMap.forEach((name, shard) -> {
        SafetensorsFile file = shards.computeIfAbsent(shard, _ -> openShard(index, shard));
        StoredTensor tensor = file.tensors().get(name);
        if (tensor == null) {
          throw new JqloraException(Kind.MODEL, "%s has no tensor %s, which %s places there; fetch both again"
              .formatted(file.path(), quoted(name), index));
        }
        tensors.put(name, tensor);
      });
      return new Checkpoint(index, List.copyOf(shards.values()), tensors);
    } catch (RuntimeException | Error e) {
      shards.values().forEach(SafetensorsFile::close);
      throw e;
    }
  }

  private static SafetensorsFile openShard(Path index, String shard) {
    Path file = index.resolveSibling(shard);
    if (!Files.exists(file)) {
      throw new JqloraException(Kind.MODEL, "shard %s is missing beside %s; fetch it (an incomplete download?)"
          .formatted(quoted(shard), index));
    }
    return SafetensorsFile.open(file);
  }

  /** The files that an index places tensors in, all in the index's own folder. */
  public static SequencedSet<String> shardNames(Path index) {
    return new LinkedHashSet<>(readIndex(index).values());
  }

  private static Map<String, String> readIndex(Path index) {
    JsonObject json = JsonObject.read(index);
    JsonObject weightMap = json.object(WEIGHT_MAP).orElseThrow(() -> json.wrong(WEIGHT_MAP, "an object"));
    Map<String, String> shards = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : weightMap.fields()) {
      String shard = weightMap.text(entry.getKey());
      if (!isPlainName(shard)) {
        throw weightMap.wrong(entry.getKey(), "the plain name of a .safetensors file in the same folder");
      }
      shards.put(entry.getKey(), shard);
    }
    if (shards.isEmpty()) {
      throw weightMap.error("the map is empty; expected a shard for each tensor");
    }
    return shards;
  }

  private static boolean isPlainName(String shard) {
    return shard.endsWith(SUFFIX) && shard.codePoints().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ')
        && !shard.startsWith("..");
  }

  /** The file that was opened: the single file, or the index. */
  public Path path() {
    return path;
  }

  /** The safetensors files behind this checkpoint. */
  public List<Path> files() {
    List<Path> paths = new ArrayList<>();
    files.forEach(file -> paths.add(file.path()));
    return paths;
  }

  public SequencedSet<String> names() {
    return tensors.sequencedKeySet();
  }

  public boolean contains(String name) {
    return tensors.containsKey(name);
  }

  /** The tensor, where the checkpoint has it. */
  public Optional<StoredTensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /** The tensor, whatever its element type. */
  public StoredTensor stored(String name) {
    return find(name).orElseThrow(() -> new JqloraException(Kind.MODEL,
        "%s has no tensor %s; expected a Llama checkpoint in the Hugging Face naming (it holds %d others)".formatted(
            path, quoted(name), tensors.size())));
  }

  /** The tensor, which must be of a type that the engine has. */
  public Tensor tensor(String name) {
    return stored(name).tensor();
  }

  /** The tensor, which must be of a float type (F32, F16 or BF16, as stored) and of exactly this shape. */
  public Tensor floats(String name, Shape shape) {
    return stored(name).floats(shape);
  }

  @Override
  public void close() {
    files.forEach(SafetensorsFile::close);
  }
}
