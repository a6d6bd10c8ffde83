package dev.jqlora.llama.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.safetensors.CheckpointWriter;
import dev.jqlora.llama.safetensors.StoredTensor;
import dev.jqlora.llama.safetensors.StoredType;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrequantizedWeightTest {
  private static final String NAME = "model.layers.3.self_attn.k_proj.weight";
  private static final String STATE = ".quant_state.bitsandbytes__nf4";
  private static final Shape SHAPE = Shape.of(32, 64);

  @TempDir
  Path folder;

  @Test
  void equalsQuantizingHere() {
    Path quantizedModel = SharedData.path("golden/model-bnb-4bit");
    Path plainModel = SharedData.path("stories260K");
    int compared = 0;
    try (Checkpoint quantized = Checkpoint.open(quantizedModel);
        Checkpoint plain = Checkpoint.open(plainModel);
        Arena arena = Arena.ofShared()) {
      for (String name : plain.names()) {
        if (!PrequantizedWeight.isQuantized(quantized, name)) {
          assertFalse(name.endsWith("proj.weight"), name);
          assertEquals(-1, plain.stored(name).data().mismatch(quantized.stored(name).data()), name);
          continue;
        }
        Tensor source = plain.tensor(name);
        Nf4Tensor read = PrequantizedWeight.read(quantized, name, source.type().shape());
        Nf4Tensor here = Nf4.quantize(source, 64, arena).weight();
        assertEquals(-1, here.codes().mismatch(read.codes()), name);
        Absmax.Nested nested = assertInstanceOf(Absmax.Nested.class, read.absmax());
        Absmax.Nested nestedHere = DoubleQuantization.quantize(here.absmax(), arena);
        assertEquals(-1, nestedHere.codes().mismatch(nested.codes()), name);
        assertEquals(nestedHere.offset(), nested.offset(), 1e-7, name);
        compared++;
      }
    }
    assertEquals(35, compared);
  }

  @Test
  void partsMayLieInOtherShardsUnderAnotherStorageType() {
    Map<String, byte[]> parts = parts();
    Map<String, TensorInfo> infos = infos(parts);
    infos.put("", new TensorInfo(NAME, StoredType.BF16, List.of(512L, 1L)));
    write(parts, infos, 1);
    try (Checkpoint checkpoint = Checkpoint.open(folder); Checkpoint original = golden()) {
      assertEquals(6, checkpoint.files().size());
      Nf4Tensor read = PrequantizedWeight.read(checkpoint, NAME, SHAPE);
      Nf4Tensor expected = PrequantizedWeight.read(original, NAME, SHAPE);
      for (int i = 0; i < 2048; i++) {
        assertEquals(expected.code(i), read.code(i));
      }
      assertEquals(expected.absmax().get(31), read.absmax().get(31));
    }
  }

  @Test
  void plainScalesAreReadToo() {
    Map<String, byte[]> parts = parts();
    parts.remove(".nested_absmax");
    parts.remove(".nested_quant_map");
    parts.put(".absmax", new byte[128]);
    parts.put(STATE,
        "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [32, 64]}".getBytes(
            StandardCharsets.UTF_8));
    Map<String, TensorInfo> infos = infos(parts);
    infos.put(".absmax", new TensorInfo(NAME + ".absmax", StoredType.F32, List.of(32L)));
    write(parts, infos, 1_000_000);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Nf4Tensor read = PrequantizedWeight.read(checkpoint, NAME, SHAPE);
      assertInstanceOf(Absmax.Plain.class, read.absmax());
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '~', value = {"\"nf4\" | \"fp4\" | \"quant_type\" is \"fp4\"",
      "\"nf4\" | 4 | expected a string", "[32, 64] | [64, 64] | is quantized from shape [64, 64]; expected [32, 64]",
      "[32, 64] | [2048] | an array of two positive integers", "[32, 64] | [32, -64] | an array of two positive",
      "[32, 64] | 5 | an array of two positive integers", ": 64, | : 48, | a power of two from 32 to 4096",
      ": 64, | : 32, | expected 64 for its matrix", ": 64, | : 9999999999, | integer of 32 bits",
      "\"float32\", \"shape\" | \"int8\", \"shape\" | \"dtype\" is \"int8\"", ": 256 | : 128 | expected 256",
      "\"nested_offset\": 0 | \"nested_offset\": 1e300, \"other\": 0 | range of float32",
      "\"nested_offset\": 0 | \"other\": 0 | \"nested_offset\" is missing",
      "\"nested_dtype\": \"float32\" | \"nested_dtype\": \"float16\" | expected \"float32\"", "} | | not valid JSON",
      "{ | [ | not valid JSON", "nf4 | ÿ | expected \"nf4\""})
  void aWrongStateIsNamed(String from, String to, String message) {
    Map<String, byte[]> parts = parts();
    String state = new String(parts.getOrDefault(STATE, new byte[0]), StandardCharsets.UTF_8);
    assertTrue(state.contains(from), state);
    parts.put(STATE, state.replace(from, to == null ? "" : to).getBytes(StandardCharsets.UTF_8));
    assertRefused(parts, infos(parts), NAME, message);
  }

  @Test
  void damagedPartsAreNamed() {
    Map<String, byte[]> parts = parts();
    parts.put(STATE, new byte[]{(byte) 0xff, (byte) 0xfe});
    assertRefused(parts, infos(parts), STATE, "is not UTF-8 text");
    for (String part : List.of("", ".absmax", ".nested_absmax", ".nested_quant_map", ".quant_map")) {
      parts = parts();
      parts.put(part, new byte[8]);
      assertRefused(parts, infos(parts), NAME + part, "holds 8 bytes; expected");
    }
    parts = parts();
    parts.put(".quant_map", new byte[64]);
    assertRefused(parts, infos(parts), "holds other values than the NF4 table");
    parts = parts();
    parts.put(".nested_absmax", new byte[]{0, 0, (byte) 0xc0, 0x7f});
    assertRefused(parts, infos(parts), "has the scale NaN at index 0");
    parts = parts();
    byte[] map = new byte[1024];
    map[3] = 0x40;
    parts.put(".nested_quant_map", map);
    assertRefused(parts, infos(parts), "does not ascend");
  }

  @Test
  void missingAndUnknownPartsAreNamed() {
    for (String part : List.of(".absmax", ".nested_absmax", ".nested_quant_map", ".quant_map")) {
      Map<String, byte[]> parts = parts();
      parts.remove(part);
      assertRefused(parts, infos(parts), "is quantized with the parts", "nested_absmax, nested_quant_map, quant_map");
    }
    Map<String, byte[]> parts = parts();
    parts.put(".extra", new byte[1]);
    assertRefused(parts, infos(parts), "extra");
    parts = parts();
    parts.put(".quant_state.bitsandbytes__fp4", parts.getOrDefault(STATE, new byte[0]));
    parts.remove(STATE);
    assertRefused(parts, infos(parts), "quant_state.bitsandbytes__fp4", "NF4 by bitsandbytes");
  }

  private void assertRefused(Map<String, byte[]> parts, Map<String, TensorInfo> infos, String... messages) {
    write(parts, infos, 1_000_000);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertTrue(PrequantizedWeight.isQuantized(checkpoint, NAME));
      OneLineError.assertThrown(() -> PrequantizedWeight.read(checkpoint, NAME, SHAPE), messages);
    }
  }

  private void write(Map<String, byte[]> parts, Map<String, TensorInfo> infos, long shardBytes) {
    try (CheckpointWriter writer = CheckpointWriter.create(folder, new ArrayList<>(infos.values()), shardBytes)) {
      parts.forEach((part, bytes) -> writer.append(NAME + part, MemorySegment.ofArray(bytes)));
      writer.commit();
    }
  }

  /** The bytes of each part of one real matrix, by the part's suffix. */
  private static Map<String, byte[]> parts() {
    Map<String, byte[]> parts = new LinkedHashMap<>();
    try (Checkpoint checkpoint = golden()) {
      for (String name : checkpoint.names()) {
        if (name.startsWith(NAME)) {
          StoredTensor part = checkpoint.stored(name);
          parts.put(name.substring(NAME.length()), part.data().toArray(ValueLayout.JAVA_BYTE));
        }
      }
    }
    return parts;
  }

  private static Map<String, TensorInfo> infos(Map<String, byte[]> parts) {
    Map<String, TensorInfo> infos = new LinkedHashMap<>();
    parts.forEach((part, bytes) -> {
      boolean floats = part.contains("map") || part.equals(".nested_absmax");
      infos.put(part, floats
          ? new TensorInfo(NAME + part, StoredType.F32, List.of(bytes.length / 4L))
          : new TensorInfo(NAME + part, StoredType.U8, List.of((long) bytes.length)));
    });
    return infos;
  }

  private static Checkpoint golden() {
    return Checkpoint.open(SharedData.path("golden/model-bnb-4bit"));
  }
}
