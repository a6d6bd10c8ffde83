package dev.jqlora.llama.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTest {
  @TempDir
  Path folder;

  @Test
  void readsATrainedModel() {
    try (SafetensorsFile file = SafetensorsFile.open(SharedData.path("stories260K/model.safetensors"))) {
      assertEquals(47, file.tensors().size());
      StoredTensor embedding = file.stored("model.embed_tokens.weight");
      assertEquals(new TensorType(DType.F32, Shape.of(512, 64)), embedding.tensor().type());
      assertTrue(embedding.data().isReadOnly());
    }
  }

  @Test
  void readsDataThatIsNotAligned() throws IOException {
    Path path = RawSafetensors.write(folder.resolve("odd.safetensors"),
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[3,7]}}\n",
        7);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertEquals(Float.intBitsToFloat(0x06050403), file.stored("b").tensor().toFloats()[0]);
    }
  }

  @Test
  void readsEmptyScalarAndNoTensors() throws IOException {
    Path path = RawSafetensors.write(folder.resolve("few.safetensors"),
        " {\"none\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]},"
            + "\"one\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[0,2],\"extra\":{\"deep\":[1]}}}  ",
        2);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertEquals(0, file.stored("none").tensor().toFloats().length);
      assertEquals(Shape.SCALAR, file.stored("one").tensor().type().shape());
    }
    try (SafetensorsFile file = SafetensorsFile.open(RawSafetensors.write(folder.resolve("no.safetensors"), "{}", 0))) {
      assertTrue(file.tensors().isEmpty());
    }
  }

  @ParameterizedTest
  @CsvSource({"BOOL, 2, 2", "F4, 2, 1", "F6_E2M3, 4, 3", "F6_E3M2, 4, 3", "I8, 1, 1", "F8_E5M2, 1, 1", "F8_E4M3, 1, 1",
      "F8_E8M0, 1, 1", "F8_E4M3FNUZ, 1, 1", "F8_E5M2FNUZ, 1, 1", "I16, 1, 2", "U16, 1, 2", "U32, 1, 4", "C64, 1, 8",
      "F64, 1, 8", "I64, 1, 8", "U64, 1, 8"})
  void foreignTypesFailOnlyWhenAskedFor(String dtype, int elements, int bytes) throws IOException {
    Path path = RawSafetensors.write(folder.resolve("foreign.safetensors"),
        "{\"t\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}".formatted(dtype, elements, bytes), bytes);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      StoredTensor tensor = file.stored("t");
      assertEquals(bytes, tensor.data().byteSize());
      OneLineError.assertThrown(tensor::tensor, path + ": tensor \"t\" is " + dtype);
    }
  }

  @Test
  void anotherShapeThanAskedForIsAnError() {
    try (SafetensorsFile file = SafetensorsFile.open(SharedData.path("stories260K/model.safetensors"))) {
      OneLineError.assertThrown(() -> file.stored("model.norm.weight").floats(Shape
          .of(65)), "is F32[64]; expected F32, F16 or BF16 of shape [65]");
    }
  }

  @Test
  void aMissingTensorIsNamed() {
    try (SafetensorsFile file = SafetensorsFile.open(SharedData.path("stories260K/model.safetensors"))) {
      assertEquals(Kind.MODEL,
          OneLineError.assertThrown(() -> file.stored("lm_head.weight"), "\"lm_head.weight\"").kind());
    }
  }

  @Test
  void writesTheReferenceBytes() throws IOException {
    for (String name : List.of("golden/lora/initial/adapter_model.safetensors",
        "golden/lora/final-nf4/adapter_model.safetensors",
        "stories260K/model.safetensors")) {
      Path original = SharedData.path(name);
      Path copy = folder.resolve("copy.safetensors");
      try (SafetensorsFile file = SafetensorsFile.open(original)) {
        List<TensorInfo> tensors = file.tensors().values().stream().map(StoredTensor::info).toList().reversed();
        try (SafetensorsWriter writer = SafetensorsWriter.create(copy, tensors, file.metadata())) {
          for (TensorInfo tensor : tensors) {
            MemorySegment data = file.stored(tensor.name()).data();
            long half = data.byteSize() / 2;
            writer.append(tensor.name(), data.asSlice(0, half));
            writer.append(tensor.name(), data.asSlice(half));
          }
          writer.commit();
        }
      }
      assertArrayEquals(Files.readAllBytes(original), Files.readAllBytes(copy), name);
    }
  }

  @Test
  void writesArraysOfAnyElementAndPadsTheHeader() throws IOException {
    Path path = folder.resolve("new/deep/model.safetensors");
    List<TensorInfo> tensors = List.of(TensorInfo.of("naïve \"x\"", TensorType.f32(2)), TensorInfo.of("b", TensorType
        .u8(3)), new TensorInfo("a", StoredType.I64, List.of(1L)));
    try (SafetensorsWriter writer = SafetensorsWriter.create(path, tensors)) {
      writer.append("naïve \"x\"", MemorySegment.ofArray(new float[]{1.5f, Float.NaN}));
      writer.append("b", MemorySegment.ofArray(new byte[]{1, 2, 3}));
      writer.append("a", MemorySegment.ofArray(new long[]{7}));
      writer.commit();
    }
    assertEquals(0, Files.readAllBytes(path)[0] % 8);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertEquals(Map.of("format", "pt"), file.metadata());
      assertEquals(List.of("a", "naïve \"x\"", "b"), List.copyOf(file.tensors().keySet()));
      assertArrayEquals(new float[]{1.5f, Float.NaN}, file.stored("naïve \"x\"").tensor().toFloats());
    }
  }

  @Test
  void anUnfinishedFileLeavesTheOldOne() throws IOException {
    Path path = Files.writeString(folder.resolve("model.safetensors"), "old");
    try (SafetensorsWriter writer = SafetensorsWriter.create(path, List.of(TensorInfo.of("a", TensorType.f32(2))))) {
      writer.append("a", MemorySegment.ofArray(new float[1]));
      assertThrows(IllegalStateException.class, writer::commit);
      assertThrows(IllegalArgumentException.class, () -> writer.append("a", MemorySegment.ofArray(new float[2])));
      assertThrows(IllegalArgumentException.class, () -> writer.append("b", MemorySegment.ofArray(new float[2])));
    }
    assertEquals("old", Files.readString(path));
    assertFalse(Files.exists(folder.resolve("model.safetensors.tmp")));
  }
}
