package dev.jqlora.llama.safetensors;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/**
 * A memory-mapped safetensors file. Opening it checks the whole header against the format's rules and the file's size;
 * no memory is taken because a header asks for it. Its tensors are views of the mapping and end with {@link #close}.
 * Safe for use by several threads. The file must not be changed while it is open.
 */
public final class SafetensorsFile implements AutoCloseable {
  private final Path path;
  private final Arena arena;
  private final Map<String, String> metadata;
  private final SequencedMap<String, StoredTensor> tensors;

  private SafetensorsFile(Path path, Arena arena, Map<String, String> metadata,
      SequencedMap<String, StoredTensor> tensors) {
    this.path = path;
    this.arena = arena;
    this.metadata = Collections.unmodifiableMap(metadata);
    this.tensors = Collections.unmodifiableSequencedMap(tensors);
  }

  public static SafetensorsFile open(Path path) {
    Arena arena = Arena.ofShared();
    try {
      return map(path, arena);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  private static SafetensorsFile map(Path path, Arena arena) {
    if (!Files.exists(path)) {
      throw new JqloraException(Kind.MODEL, "%s does not exist; expected a safetensors file".formatted(path));
    }
    if (!Files.isRegularFile(path)) {
      throw new JqloraException(Kind.MODEL, "%s is not a file; expected a safetensors file".formatted(path));
    }
    MemorySegment mapping;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      mapping = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
    } catch (IOException e) {
      throw FileErrors.cannotRead(path, e);
    }
    SafetensorsHeader header = SafetensorsHeader.read(path, mapping);
    MemorySegment data = mapping.asSlice(header.dataStart());
    SequencedMap<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (SafetensorsHeader.Entry entry : header.entries()) {
      MemorySegment bytes = data.asSlice(entry.begin(), entry.end() - entry.begin());
      tensors.put(entry.info().name(), new StoredTensor(path, entry.info(), bytes));
    }
    return new SafetensorsFile(path, arena, header.metadata(), tensors);
  }

  public Path path() {
    return path;
  }

  /** The file's free text-to-text notes; PyTorch writers put {@code format=pt}. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** All tensors by name, in the order of their data. */
  public SequencedMap<String, StoredTensor> tensors() {
    return tensors;
  }

  public StoredTensor stored(String name) {
    StoredTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new JqloraException(Kind.MODEL, "%s has no tensor %s; expected one (it holds %d others)".formatted(path,
          FileErrors.quoted(name), tensors.size()));
    }
    return tensor;
  }

  @Override
  public void close() {
    arena.close();
  }
}
