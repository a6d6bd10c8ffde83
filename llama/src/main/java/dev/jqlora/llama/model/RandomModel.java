package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.checkpoint.PrequantizedParts;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.config.QuantizationConfig;
import dev.jqlora.llama.safetensors.CheckpointWriter;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;

/**
 * A model that has learned nothing, as a checkpoint: norms are 1, all else is normal with the configuration's
 * {@code initializer_range}, as the reference initializes a fresh model. It is written as it is made, on all cores, a
 * few megabytes at a time.
 *
 * <p>Every block of 65,536 numbers has a generator of its own, whose seed is drawn from the model's in the order of the
 * blocks. So the files depend on the seed alone, not on the number of threads, and a model in NF4 has the codes of the
 * same model in BF16.
 */
public final class RandomModel {
  /** How the weights are stored. */
  public enum Storage {
    F32, BF16,
    /** Projections as bitsandbytes saves them quantized, with double quantization; all else in BF16. */
    NF4
  }

  private static final RandomGeneratorFactory<RandomGenerator> GENERATORS = RandomGeneratorFactory
      .of("L64X128MixRandom");
  private static final ValueLayout.OfShort BITS = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int BLOCK = 1 << 16;
  /** Numbers in memory at a time, a multiple of the block and of NF4's. */
  private static final int CHUNK = 64 * BLOCK;

  private final Storage storage;
  private final DType dtype;
  private final double deviation;
  private final RandomGenerator seeds;

  private RandomModel(Storage storage, double deviation, long seed) {
    this.storage = storage;
    this.dtype = storage == Storage.F32 ? DType.F32 : DType.BF16;
    this.deviation = deviation;
    this.seeds = GENERATORS.create(seed);
  }

  /**
   * Writes the weights, in shards where they are many, and then {@code config.json}: what stops it halfway leaves the
   * model that was there.
   *
   * @param seed equal seeds give equal files
   * @return bytes of all tensors
   */
  public static long write(Path folder, LlamaConfig config, Storage storage, long seed) {
    RandomModel model = new RandomModel(storage, config.initializerRange(), seed);
    List<ModelTensor> tensors = ModelTensor.of(config);
    List<TensorInfo> infos = tensors.stream().flatMap(tensor -> model.infos(tensor).stream()).toList();
    try (CheckpointWriter writer = CheckpointWriter.create(folder, infos); Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate((long) CHUNK * model.dtype.bytes(), Alignment.BYTES);
      for (ModelTensor tensor : tensors) {
        if (model.isQuantized(tensor)) {
          model.appendQuantized(writer, tensor, memory);
        } else {
          model.appendPlain(writer, tensor, memory);
        }
      }
      writer.commit();
    }
    config.storedAs(model.dtype, model.quantization()).write(folder);
    return infos.stream().mapToLong(TensorInfo::byteSize).sum();
  }

  private Optional<QuantizationConfig> quantization() {
    return storage == Storage.NF4 ? Optional.of(new QuantizationConfig(true, Optional.of(dtype))) : Optional.empty();
  }

  private boolean isQuantized(ModelTensor tensor) {
    return storage == Storage.NF4 && tensor.projection().isPresent();
  }

  private PrequantizedParts parts(ModelTensor tensor) {
    return new PrequantizedParts(tensor.name(), tensor.shape(), dtype);
  }

  private List<TensorInfo> infos(ModelTensor tensor) {
    return isQuantized(tensor)
        ? parts(tensor).infos()
        : List.of(TensorInfo.of(tensor.name(), new TensorType(dtype, tensor.shape())));
  }

  private void appendPlain(CheckpointWriter writer, ModelTensor tensor, MemorySegment memory) {
    for (long done = 0; done < tensor.shape().elements(); done += CHUNK) {
      int count = (int) Math.min(CHUNK, tensor.shape().elements() - done);
      writer.append(tensor.name(), values(tensor, count, memory).data());
    }
  }

  private void appendQuantized(CheckpointWriter writer, ModelTensor tensor, MemorySegment memory) {
    PrequantizedParts parts = parts(tensor);
    try (Arena arena = Arena.ofShared()) {
      MemorySegment scales = arena.allocate(parts.blocks() * Float.BYTES, Alignment.BYTES);
      for (long done = 0; done < tensor.shape().elements(); done += CHUNK) {
        int count = (int) Math.min(CHUNK, tensor.shape().elements() - done);
        try (Arena part = Arena.ofShared()) {
          Nf4.Quantized quantized = Nf4.quantize(values(tensor, count, memory), Nf4.DEFAULT_BLOCK_SIZE, part);
          parts.appendCodes(writer, quantized.weight().codes());
          Absmax absmax = quantized.weight().absmax();
          for (long block = 0; block < absmax.blocks(); block++) {
            scales.set(Absmax.F32, (done / Nf4.DEFAULT_BLOCK_SIZE + block) * Float.BYTES, absmax.get(block));
          }
        }
      }
      parts.appendScales(writer, DoubleQuantization.quantize(new Absmax.Plain(scales), arena));
    }
  }

  /** The next numbers of a tensor. */
  private Tensor values(ModelTensor tensor, int count, MemorySegment memory) {
    MemorySegment target = memory.asSlice(0, (long) count * dtype.bytes());
    long[] blockSeeds = seeds.longs(Math.ceilDiv(count, BLOCK)).toArray();
    IntStream.range(0, blockSeeds.length).parallel().forEach(block -> {
      int first = block * BLOCK;
      float[] values = new float[Math.min(BLOCK, count - first)];
      RandomGenerator random = GENERATORS.create(blockSeeds[block]);
      for (int i = 0; i < values.length; i++) {
        values[i] = tensor.isNorm() ? 1f : (float) (random.nextGaussian() * deviation);
      }
      store(values, target, first);
    });
    return new Tensor(new TensorType(dtype, Shape.of(count)), target);
  }

  private void store(float[] values, MemorySegment target, int first) {
    if (dtype == DType.F32) {
      MemorySegment.copy(values, 0, target, Absmax.F32, (long) first * Float.BYTES, values.length);
      return;
    }
    for (int i = 0; i < values.length; i++) {
      target.setAtIndex(BITS, first + i, BFloat16.fromFloat(values[i]));
    }
  }
}
