package dev.jqlora.llama.model;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.safetensors.CheckpointWriter;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Writes the model that a session holds as a checkpoint. */
public final class ModelWriter {
  private static final int CHUNK = 1 << 20;

  private ModelWriter() {}

  /** Writes the weights of a session, whose projections must not be quantized, and {@code config.json}. */
  public static void save(Path folder, ModelLayout layout, Session session) {
    List<ModelTensor> tensors = ModelTensor.of(layout.config());
    List<TensorInfo> infos = tensors.stream()
        .map(tensor -> TensorInfo.of(tensor.name(), stored(tensor, session))).toList();
    try (CheckpointWriter writer = CheckpointWriter.create(folder, infos); Arena arena = Arena.ofConfined()) {
      MemorySegment chunk = arena.allocate(CHUNK);
      for (ModelTensor tensor : tensors) {
        long bytes = stored(tensor, session).bytes();
        for (long done = 0; done < bytes; done += CHUNK) {
          MemorySegment part = chunk.asSlice(0, Math.min(CHUNK, bytes - done));
          session.read(tensor.state(), tensor.layer() * bytes + done, part);
          writer.append(tensor.name(), part);
        }
      }
      writer.commit();
    }
    layout.config().storedAs(layout.tableDtype(), Optional.empty()).write(folder);
  }

  private static TensorType stored(ModelTensor tensor, Session session) {
    return new TensorType(session.type(tensor.state()).dtype(), tensor.shape());
  }
}
