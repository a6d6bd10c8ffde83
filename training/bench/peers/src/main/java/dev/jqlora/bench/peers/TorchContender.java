package dev.jqlora.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import dev.jqlora.bench.Contender;
import dev.jqlora.bench.Peer;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A task's script with its inputs in PyTorch's memory. */
final class TorchContender implements Contender {
  private final TorchTask task;
  private final List<String> inputs;
  private final PtNDManager manager;
  private final PtSymbolBlock script;
  private final Map<String, PtNDArray> arrays = new HashMap<>();
  private final @Nullable PtNDArray seed;
  private final Map<String, PtNDArray> results = new HashMap<>();
  /** What the last run made. */
  private @Nullable NDManager made;

  TorchContender(PtNDManager parent, TorchTask task, Peer.Inputs inputs) {
    this.task = task;
    this.inputs = task.inputs();
    manager = (PtNDManager) parent.newSubManager();
    try {
      script = JniUtils.loadModule(manager, task.script().archive(), false, false);
      this.inputs.forEach(name -> arrays.put(name, copy(inputs, name)));
      seed = seed(inputs);
    } catch (IOException e) {
      manager.close();
      throw new UncheckedIOException(e);
    } catch (RuntimeException | Error e) {
      manager.close();
      throw e;
    }
  }

  private @Nullable PtNDArray seed(Peer.Inputs inputs) {
    if (task.gradients().isEmpty()) {
      return null;
    }
    return task.seed() == null ? (PtNDArray) manager.create(1f) : copy(inputs, task.seed());
  }

  /** Inputs that our programs stack by layers lose that axis. */
  private PtNDArray copy(Peer.Inputs inputs, String name) {
    try (Arena arena = Arena.ofConfined()) {
      Tensor tensor = inputs.get(name, arena);
      ByteBuffer bytes = direct(tensor, arena).asByteBuffer().order(ByteOrder.nativeOrder());
      List<Integer> dims = tensor.type().shape().dims();
      boolean stacked = dims.size() > 1 && dims.getFirst() == 1;
      Shape shape = new Shape((stacked ? dims.subList(1, dims.size()) : dims).stream().mapToLong(Integer::longValue)
          .toArray());
      boolean ids = tensor.type().dtype() == DType.I32;
      try (NDArray shared = manager.create(bytes, shape, ids ? DataType.INT32 : DataType.FLOAT32)) {
        return (PtNDArray) (ids ? shared.toType(DataType.INT64, true) : shared.duplicate());
      }
    }
  }

  private static MemorySegment direct(Tensor tensor, Arena arena) {
    return tensor.data().isNative()
        ? tensor.data()
        : arena.allocate(tensor.type().bytes(), 64).copyFrom(tensor.data());
  }

  /** Leaves are made anew, sharing their memory, so that no gradient is added to one of an earlier run. */
  @Override
  public void run() {
    if (made != null) {
      made.close();
    }
    NDManager fresh = manager.newSubManager();
    made = fresh;
    results.clear();
    Map<String, PtNDArray> leaves = new HashMap<>();
    NDList arguments = new NDList();
    for (String name : inputs) {
      PtNDArray array = Objects.requireNonNull(arrays.get(name), name);
      if (task.gradients().containsKey(name)) {
        PtNDArray leaf = JniUtils.detachGradient(array);
        leaf.attach(fresh);
        leaf.setRequiresGradient(true);
        leaves.put(name, leaf);
        arguments.add(leaf);
      } else {
        arguments.add(array);
      }
    }
    boolean differentiates = seed != null;
    JniUtils.setGradMode(differentiates);
    PtNDArray result = (PtNDArray) IValueUtils.forward(script, arguments, differentiates).singletonOrThrow();
    result.attach(fresh);
    results.put(task.result(), result);
    if (differentiates) {
      JniUtils.backward(result, seed, false, false);
      task.gradients().forEach((input, name) -> {
        PtNDArray gradient = (PtNDArray) Objects.requireNonNull(leaves.get(input)).getGradient();
        gradient.attach(fresh);
        if (!name.isEmpty()) {
          results.put(name, gradient);
        }
      });
    }
  }

  @Override
  public Map<String, Tensor> results() {
    Map<String, Tensor> read = new HashMap<>();
    results.forEach((name, array) -> read.put(name, tensor(array)));
    return read;
  }

  private static Tensor tensor(PtNDArray array) {
    List<Integer> dims = new ArrayList<>();
    for (long dim : array.getShape().getShape()) {
      dims.add(Math.toIntExact(dim));
    }
    TensorType type = new TensorType(DType.F32, new dev.jqlora.engine.tensor.Shape(dims));
    return new Tensor(type, MemorySegment.ofBuffer(array.toByteBuffer()));
  }

  @Override
  public void close() {
    manager.close();
  }
}
