package dev.jqlora.llama.model;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.safetensors.CheckpointWriter;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Writes whole models as checkpoints: from a session, or with random weights. */
public final class ModelWriter {
  private static final int CHUNK = 1 << 20;

  private ModelWriter() {}

  /** Writes {@code config.json} and the weights of a session, whose projections must not be quantized. */
  public static void save(Path folder, ModelLayout layout, Session session) {
    List<ModelTensor> tensors = ModelTensor.of(layout.config());
    List<TensorInfo> infos = tensors.stream()
        .map(tensor -> TensorInfo.of(tensor.name(), stored(tensor, session))).toList();
    config(layout.config(), layout.tableDtype()).write(folder);
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
  }

  private static TensorType stored(ModelTensor tensor, Session session) {
    return new TensorType(session.type(tensor.state()).dtype(), tensor.shape());
  }

  /**
   * Writes a model of random weights: norms 1, all else normal with the configuration's {@code initializer_range}, as
   * the reference initializes a fresh model.
   *
   * @param dtype F32 or BF16
   * @param seed equal seeds give equal files
   */
  public static void random(Path folder, LlamaConfig config, DType dtype, long seed) {
    List<ModelTensor> tensors = ModelTensor.of(config);
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    config(config, dtype).write(folder);
    List<TensorInfo> infos = tensors.stream()
        .map(tensor -> TensorInfo.of(tensor.name(), new TensorType(dtype, tensor.shape()))).toList();
    try (CheckpointWriter writer = CheckpointWriter.create(folder, infos); Arena arena = Arena.ofConfined()) {
      MemorySegment chunk = arena.allocate(CHUNK);
      for (ModelTensor tensor : tensors) {
        int fits = CHUNK / dtype.bytes();
        for (long done = 0; done < tensor.shape().elements(); done += fits) {
          int count = (int) Math.min(fits, tensor.shape().elements() - done);
          Tensor values = new Tensor(
              new TensorType(dtype, Shape.of(count)),
              chunk.asSlice(0, (long) count * dtype.bytes()));
          for (int i = 0; i < count; i++) {
            values.set(i, tensor.isNorm() ? 1 : random.nextGaussian() * config.initializerRange());
          }
          writer.append(tensor.name(), values.data());
        }
      }
      writer.commit();
    }
  }

  private static LlamaConfig config(LlamaConfig config, DType dtype) {
    return new LlamaConfig(config.vocabSize(), config.hiddenSize(), config.intermediateSize(), config.layers(),
        config.heads(), config.kvHeads(), config.headDim(), config.maxPositions(), config.rmsNormEps(), config.rope(),
        config.tiedEmbeddings(), config.initializerRange(), config.ids(), Optional.of(dtype), Optional.empty());
  }
}
