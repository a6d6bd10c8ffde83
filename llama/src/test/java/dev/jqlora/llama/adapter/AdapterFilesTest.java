package dev.jqlora.llama.adapter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.safetensors.SafetensorsFile;
import dev.jqlora.llama.safetensors.SafetensorsWriter;
import dev.jqlora.llama.safetensors.StoredType;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterFilesTest {
  private static final AdapterConfig CONFIG = new AdapterConfig("tiny", 2, 4, 0, false, EnumSet.of(Projection.Q_PROJ,
      Projection.DOWN_PROJ));
  private static final String FIRST_A = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";

  @ParameterizedTest
  @ValueSource(strings = {"initial", "final-float32", "final-nf4"})
  void theGoldenAdaptersSurviveToTheByte(String name, @TempDir Path folder) throws IOException {
    Path golden = SharedData.path("golden/lora/" + name);
    AdapterConfig config = AdapterConfig.read(golden);
    ModelLayout layout = TinyModel.layout(LlamaConfig.read(SharedData.path("stories260K")), config.spec());
    try (Session session = TinyModel.session(layout)) {
      AdapterFiles.load(golden, layout, session);
      AdapterFiles.save(folder, config, layout, session);
    }
    assertEquals(-1, Files.mismatch(golden.resolve(AdapterFiles.FILE), folder.resolve(AdapterFiles.FILE)));
    assertEquals(config, AdapterConfig.read(folder));
  }

  @Test
  void layersLieStackedInTheStates(@TempDir Path folder) {
    ModelLayout layout = TinyModel.layout(CONFIG.spec());
    try (Session session = filled(layout)) {
      AdapterFiles.save(folder, CONFIG, layout, session);
      float[] a = TinyModel.read(session, LoraSpec.stateA(Projection.DOWN_PROJ));
      try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(AdapterFiles.FILE))) {
        assertEquals(8, file.tensors().size());
        assertEquals(Map.of("format", "pt"), file.metadata());
        assertArrayEquals(Arrays.copyOfRange(a, 24, 48), file.stored(
            "base_model.model.model.layers.1.mlp.down_proj.lora_A.weight").tensor().toFloats());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"F16", "BF16"})
  void halfPrecisionIsWidened(String type, @TempDir Path folder) {
    StoredType stored = StoredType.valueOf(type);
    ModelLayout layout = TinyModel.layout(CONFIG.spec());
    write(folder, layout, tensor -> new TensorInfo(tensor.name(), stored, tensor.dims()));
    try (Session session = TinyModel.session(layout)) {
      AdapterFiles.load(folder, layout, session);
      float expected = stored == StoredType.F16
          ? Float.float16ToFloat((short) 0x3c3c)
          : BFloat16.toFloat((short) 0x3c3c);
      for (String state : layout.adapterStates().keySet()) {
        for (float value : TinyModel.read(session, state)) {
          assertEquals(expected, value);
        }
      }
    }
  }

  @Test
  void refusesOtherTensors(@TempDir Path folder) {
    ModelLayout layout = TinyModel.layout(CONFIG.spec());
    String other = FIRST_A.replace("layers.0", "layers.7");
    write(folder, layout, tensor -> tensor.name().equals(FIRST_A)
        ? new TensorInfo(other, tensor.type(), tensor.dims())
        : tensor);
    refused(folder, layout, "lacks 1 tensor", FIRST_A, "has unexpectedly 1 tensor", other);
    write(folder, layout, tensor -> new TensorInfo(tensor.name(), StoredType.I32, tensor.dims()));
    refused(folder, layout, "I32", "expected F32, F16 or BF16 of shape [2, 8]");
    write(folder, layout, tensor -> new TensorInfo(tensor.name(), StoredType.F32, tensor.dims().reversed()));
    refused(folder, layout, "F32[8, 2]", "[2, 8]");
  }

  @Test
  void refusesNaN(@TempDir Path folder) {
    ModelLayout layout = TinyModel.layout(CONFIG.spec());
    try (Session session = filled(layout)) {
      float[] values = TinyModel.read(session, LoraSpec.stateB(Projection.Q_PROJ));
      values[1] = Float.NaN;
      values[2] = Float.NEGATIVE_INFINITY;
      TinyModel.write(session, LoraSpec.stateB(Projection.Q_PROJ), values);
      AdapterFiles.save(folder, CONFIG, layout, session);
    }
    refused(folder, layout, "layers.0.self_attn.q_proj.lora_B.weight", "2 values that are NaN or infinite");
  }

  @Test
  void saysWhatAFolderHoldsInstead(@TempDir Path folder) throws IOException {
    Path nothing = folder.resolve("nothing");
    OneLineError.assertThrown(() -> AdapterConfig.read(nothing), "nothing", "expected the folder of an adapter");
    Path file = Files.writeString(folder.resolve("file"), "");
    OneLineError.assertThrown(() -> AdapterConfig.read(file), "there is a file");
    OneLineError.assertThrown(() -> AdapterConfig.read(folder), "adapter_config.json and adapter_model.safetensors");
    Files.writeString(folder.resolve("config.json"), "{}");
    OneLineError.assertThrown(() -> AdapterConfig.read(folder), "whole model");
    for (String step : List.of("checkpoint-90", "checkpoint-100", "checkpoint-x")) {
      CONFIG.write(Files.createDirectory(folder.resolve(step)));
    }
    OneLineError.assertThrown(() -> AdapterConfig.read(folder), "\"checkpoint-100\"");
    Files.writeString(folder.resolve("adapter_model.bin"), "");
    CONFIG.write(folder);
    ModelLayout layout = TinyModel.layout(CONFIG.spec());
    try (Session session = TinyModel.session(layout)) {
      var error = OneLineError.assertThrown(() -> AdapterFiles.load(folder, layout, session), "Python pickle");
      assertEquals(Kind.MODEL, error.kind());
    }
  }

  private static void refused(Path folder, ModelLayout layout, String... parts) {
    try (Session session = TinyModel.session(layout)) {
      var error = OneLineError.assertThrown(() -> AdapterFiles.load(folder, layout, session), parts);
      assertEquals(Kind.MODEL, error.kind());
    }
  }

  private static Session filled(ModelLayout layout) {
    Session session = TinyModel.session(layout);
    layout.adapterStates().forEach((state, type) -> {
      float[] values = new float[(int) type.elements()];
      for (int i = 0; i < values.length; i++) {
        values[i] = i + state.length() * 0.01f;
      }
      TinyModel.write(session, state, values);
    });
    return session;
  }

  /** Writes an adapter whose every byte is 0x3c, with its tensors declared otherwise. */
  private static void write(Path folder, ModelLayout layout, UnaryOperator<TensorInfo> change) {
    try (Session session = TinyModel.session(layout)) {
      AdapterFiles.save(folder, CONFIG, layout, session);
    }
    List<TensorInfo> tensors = new ArrayList<>();
    try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(AdapterFiles.FILE))) {
      file.tensors().values().forEach(tensor -> tensors.add(change.apply(tensor.info())));
    }
    try (SafetensorsWriter writer = SafetensorsWriter.create(folder.resolve(AdapterFiles.FILE), tensors)) {
      for (TensorInfo tensor : tensors) {
        byte[] bytes = new byte[(int) tensor.byteSize()];
        Arrays.fill(bytes, (byte) 0x3c);
        writer.append(tensor.name(), MemorySegment.ofArray(bytes));
      }
      writer.commit();
    }
  }
}
