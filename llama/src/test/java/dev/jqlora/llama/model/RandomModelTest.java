package dev.jqlora.llama.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.RandomModel.Storage;
import dev.jqlora.llama.safetensors.Checkpoint;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RandomModelTest {
  private static final String FILE = "model.safetensors";
  /** Its MLP matrices hold more than one block of random numbers, the last not full, and not full blocks of NF4. */
  private static final LlamaConfig CONFIG = LlamaConfig.of(JsonObject.parse("config", """
      {"model_type": "llama", "vocab_size": 301, "hidden_size": 132, "intermediate_size": 1001, "num_hidden_layers": 2,
       "num_attention_heads": 6, "num_key_value_heads": 2, "initializer_range": 0.5}"""));

  @TempDir
  Path folder;

  @Test
  void equalSeedsGiveEqualFilesOnAnyNumberOfThreads() throws IOException {
    for (Storage storage : Storage.values()) {
      byte[] first = write("first", storage, 7);
      try (ForkJoinPool many = new ForkJoinPool(5)) {
        assertArrayEquals(first, many.submit(() -> write("many", storage, 7)).join());
      }
      assertFalse(Arrays.equals(first, write("other", storage, 8)));
    }
  }

  /** Neither a new folder, which could not be made again, nor a model that is to be replaced. */
  @Test
  void whatStopsItHalfwayLeavesTheFolderAsItWas() throws IOException {
    write("", Storage.F32, 7);
    byte[] config = Files.readAllBytes(folder.resolve("config.json"));
    Files.createDirectory(folder.resolve(FILE + ".tmp"));
    assertThrows(JqloraException.class, () -> write("", Storage.BF16, 8));
    assertArrayEquals(config, Files.readAllBytes(folder.resolve("config.json")));
    Files.delete(folder.resolve("config.json"));
    assertThrows(JqloraException.class, () -> write("", Storage.BF16, 8));
    assertFalse(Files.exists(folder.resolve("config.json")));
  }

  private byte[] write(String name, Storage storage, long seed) throws IOException {
    RandomModel.write(folder.resolve(name), CONFIG, storage, seed);
    return Files.readAllBytes(folder.resolve(name).resolve(FILE));
  }

  @Test
  void weightsAreNormalAndNormsOne() {
    long bytes = RandomModel.write(folder, CONFIG, Storage.F32, 7);
    assertEquals(4 * CONFIG.parameters(), bytes);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Tensor norm = checkpoint.floats("model.layers.1.input_layernorm.weight", Shape.of(132));
      Tensor gate = checkpoint.floats("model.layers.1.mlp.gate_proj.weight", Shape.of(1001, 132));
      assertEquals(1, norm.get(131));
      double sum = 0;
      double squares = 0;
      int beyondTwo = 0;
      int count = 1001 * 132;
      for (int i = 0; i < count; i++) {
        double value = gate.get(i) / 0.5;
        sum += value;
        squares += value * value;
        beyondTwo += Math.abs(value) > 2 ? 1 : 0;
      }
      // Four standard errors of 132,132 draws.
      assertEquals(0, sum / count, 4 / Math.sqrt(count));
      assertEquals(1, squares / count, 4 * Math.sqrt(2.0 / count));
      assertEquals(0.0455, (double) beyondTwo / count, 4 * Math.sqrt(0.0455 * 0.9545 / count));
      // Layers differ, and so do the blocks of one matrix.
      assertTrue(gate.get(0) != checkpoint.floats("model.layers.0.mlp.gate_proj.weight", Shape.of(1001, 132)).get(0));
      assertTrue(gate.get(0) != gate.get(1 << 16));
    }
  }

  @Test
  void digitsInFilesAreThoseOfTheFormatInAnyLanguage() throws IOException {
    byte[] expected = write("expected", Storage.NF4, 7);
    Locale before = Locale.getDefault(Locale.Category.FORMAT);
    Locale.setDefault(Locale.Category.FORMAT, Locale.forLanguageTag("ar-EG-u-nu-arab"));
    try {
      assertEquals("\u0667", "%d".formatted(7));
      assertArrayEquals(expected, write("arabic", Storage.NF4, 7));
    } finally {
      Locale.setDefault(Locale.Category.FORMAT, before);
    }
  }

  @Test
  void nf4IsTheSameModelQuantizedBeforehand() throws IOException {
    RandomModel.write(folder.resolve("bf16"), CONFIG, Storage.BF16, 7);
    long bytes = RandomModel.write(folder.resolve("nf4"), CONFIG, Storage.NF4, 7);
    assertEquals(bytes, Files.size(folder.resolve("nf4").resolve(FILE)), 16_000);
    SequencedMap<String, byte[]> quantizedHere = load(folder.resolve("bf16"), true);
    SequencedMap<String, byte[]> quantizedBefore = load(folder.resolve("nf4"), false);
    assertEquals(quantizedHere.keySet(), quantizedBefore.keySet());
    quantizedHere.forEach((state, expected) -> assertArrayEquals(expected, quantizedBefore.get(state), state));
    assertTrue(quantizedHere.containsKey("layers.up_proj.nested_absmax"));
    assertEquals(Optional.of(DType.BF16), LlamaConfig.read(folder.resolve("nf4")).dtype());
    assertTrue(LlamaConfig.read(folder.resolve("nf4")).quantization().orElseThrow().doubleQuantization());
  }

  /** The content of all states of a model. */
  private static SequencedMap<String, byte[]> load(Path model, boolean quantize) {
    SequencedMap<String, byte[]> states = new TreeMap<>();
    LlamaConfig config = LlamaConfig.read(model);
    try (Checkpoint checkpoint = Checkpoint.open(model);
        Session session = new ReferenceBackend().open(
            Long.MAX_VALUE)) {
      ModelLoader loader = new ModelLoader(config, checkpoint);
      ModelLayout layout = loader.layout(
          new ModelLoader.Options(quantize ? Quantization.NF4 : Quantization.NONE, false, 16), Optional.empty());
      loader.load(layout, session, _ -> {
      });
      layout.layerStates().forEach((name, type) -> {
        byte[] bytes = new byte[Math.toIntExact(type.bytes())];
        session.read(name, 0, MemorySegment.ofArray(bytes));
        states.put(name, bytes);
      });
    }
    return states;
  }
}
