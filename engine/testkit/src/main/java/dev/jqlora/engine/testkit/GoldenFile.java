package dev.jqlora.engine.testkit;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;

/**
 * Reference tensors of a safetensors file, all in memory. For tests only: it trusts the file. The reader for
 * checkpoints, which trusts nothing, is in the llama module.
 */
public final class GoldenFile {
  private static final Pattern ENTRY = Pattern.compile(
      "\"([^\"]+)\":\\{\"dtype\":\"(\\w+)\",\"shape\":\\[([\\d,]*)],\"data_offsets\":\\[(\\d+),(\\d+)]}");

  private final Map<String, Tensor> tensors;

  private GoldenFile(Map<String, Tensor> tensors) {
    this.tensors = tensors;
  }

  /** The folder of reference data beside the project, or a skipped test that names what is missing. */
  public static Path dataFolder() {
    Path root = Path.of(System.getProperty("jqlora.root", ".")).toAbsolutePath().normalize();
    Path folder = root.resolveSibling("shared").resolve("data");
    Assumptions.assumeTrue(Files.isDirectory(folder),
        () -> "SKIPPED: no reference data at " + folder + "; nothing was compared with it");
    return folder;
  }

  /** Reads a file below {@link #dataFolder()}. */
  public static GoldenFile open(String path) {
    try {
      byte[] bytes = Files.readAllBytes(dataFolder().resolve(path));
      MemorySegment file = MemorySegment.ofArray(bytes);
      int headerSize = Math
          .toIntExact(file.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0));
      String header = new String(bytes, Long.BYTES, headerSize, StandardCharsets.UTF_8).replace(" ", "");
      MemorySegment data = file.asSlice(Long.BYTES + headerSize);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      Matcher entry = ENTRY.matcher(header);
      while (entry.find()) {
        TensorType type = new TensorType(DType.valueOf(entry.group(2)), shape(entry.group(3)));
        tensors.put(entry.group(1), new Tensor(type, data.asSlice(Long.parseLong(entry.group(4)), type.bytes())));
      }
      return new GoldenFile(tensors);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A tensor, unaligned in memory. */
  public Tensor tensor(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no tensor " + name + " among " + tensors.keySet());
    }
    return tensor;
  }

  /** A tensor's values as float32. */
  public float[] floats(String name) {
    return tensor(name).toFloats();
  }

  /** A tensor's bytes. */
  public byte[] bytes(String name) {
    return tensor(name).data().toArray(ValueLayout.JAVA_BYTE);
  }

  private static Shape shape(String dims) {
    return dims.isEmpty()
        ? Shape.SCALAR
        : Shape.of(Arrays.stream(dims.split(",", -1)).mapToInt(Integer::parseInt).toArray());
  }
}
