package dev.jqlora.llama.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
  @TempDir
  Path folder;

  @Test
  void opensAFolderAndAFile() {
    Path model = SharedData.path("stories260K");
    try (Checkpoint one = Checkpoint.open(model);
        Checkpoint other = Checkpoint.open(model.resolve(
            "model.safetensors"))) {
      assertEquals(one.names(), other.names());
      assertEquals(TensorType.f32(64), one.floats("model.norm.weight", Shape.of(64)).type());
      assertFalse(one.contains("lm_head.weight"));
    }
  }

  @Test
  void shardsHoldTheSameTensors() throws IOException {
    Path model = SharedData.path("stories260K");
    try (Checkpoint original = Checkpoint.open(model)) {
      copy(original, 300_000);
      assertEquals(List.of("model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors",
          "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors", "model.safetensors.index.json"),
          files());
      assertTrue(Files.readString(folder.resolve("model.safetensors.index.json")).startsWith(
          "{\n  \"metadata\": {\n    \"total_size\": 1040128\n  },\n  \"weight_map\": {\n    \"model.embed_tokens.weight\": "
              + "\"model-00001-of-00004.safetensors\""));
      try (Checkpoint sharded = Checkpoint.open(folder)) {
        assertEquals(4, sharded.files().size());
        assertTrue(sharded.names().containsAll(original.names()));
        for (String name : original.names()) {
          assertEquals(-1, original.stored(name).data().mismatch(sharded.stored(name).data()), name);
        }
      }
      copy(original, CheckpointWriter.DEFAULT_SHARD_BYTES);
      assertEquals(List.of("model.safetensors"), files());
    }
    assertArrayEquals(Files.readAllBytes(model.resolve("model.safetensors")), Files.readAllBytes(folder.resolve(
        "model.safetensors")));
  }

  @Test
  void whatAKilledSaveLeftIsRemovedByTheNext() throws IOException {
    Files.writeString(folder.resolve("model-00002-of-00003.safetensors.tmp"), "");
    Files.writeString(folder.resolve("other.safetensors.tmp"), "");
    try (CheckpointWriter writer = CheckpointWriter.create(folder, List.of(TensorInfo.of("a", TensorType.f32(2))))) {
      writer.append("a", MemorySegment.ofArray(new float[2]));
      writer.commit();
    }
    assertEquals(List.of("model.safetensors", "other.safetensors.tmp"), files());
  }

  @Test
  void aMissingShardOrTensorIsNamed() throws IOException {
    try (CheckpointWriter writer = CheckpointWriter.create(folder, List.of(TensorInfo.of("a", TensorType.f32(2)),
        TensorInfo.of("b", TensorType.f32(2))), 8)) {
      writer.append("a", MemorySegment.ofArray(new float[2]));
      writer.append("b", MemorySegment.ofArray(new float[2]));
      writer.commit();
    }
    Path index = folder.resolve("model.safetensors.index.json");
    String text = Files.readString(index);
    Files.writeString(index, text.replace("\"b\"", "\"c\""));
    assertMessage("model-00002-of-00002.safetensors has no tensor \"c\"");
    Files.writeString(index, text);
    Files.delete(folder.resolve("model-00002-of-00002.safetensors"));
    assertMessage("shard \"model-00002-of-00002.safetensors\" is missing");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../model.safetensors", "/etc/model.safetensors", "a/b.safetensors", "a\\\\b.safetensors",
      "..safetensors", "", "model.bin", "a\\u0000.safetensors", "C:x.safetensors"})
  void shardsOutsideTheFolderAreRefused(String shard) throws IOException {
    Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\": {\"a\": \"" + shard + "\"}}");
    assertMessage("expected the plain name of a .safetensors file");
  }

  @Test
  void aFolderWithoutWeightsSaysWhatIsExpected() throws IOException {
    assertMessage("holds neither model.safetensors nor model.safetensors.index.json");
    Files.writeString(folder.resolve("pytorch_model.bin"), "");
    assertMessage("pickle");
  }

  private void assertMessage(String part) {
    OneLineError.assertThrown(() -> Checkpoint.open(folder), part);
  }

  private void copy(Checkpoint original, long shardBytes) {
    List<TensorInfo> tensors = original.names().stream().map(name -> original.stored(name).info()).toList();
    try (CheckpointWriter writer = CheckpointWriter.create(folder, tensors, shardBytes)) {
      original.names().forEach(name -> writer.append(name, original.stored(name).data()));
      writer.commit();
    }
  }

  private List<String> files() throws IOException {
    try (var list = Files.list(folder)) {
      return list.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
