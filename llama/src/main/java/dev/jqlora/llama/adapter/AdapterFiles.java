package dev.jqlora.llama.adapter;

import static dev.jqlora.llama.files.FileErrors.quoted;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.FloatReader;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.safetensors.SafetensorsFile;
import dev.jqlora.llama.safetensors.SafetensorsWriter;
import dev.jqlora.llama.safetensors.StoredTensor;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * The tensors of an adapter, between PEFT's {@code adapter_model.safetensors} (one matrix a layer) and a session's
 * states (all layers stacked, {@link LoraSpec#stateA} and {@link LoraSpec#stateB}).
 */
public final class AdapterFiles {
  public static final String FILE = "adapter_model.safetensors";

  private static final String PICKLE = "adapter_model.bin";
  private static final String PREFIX = "base_model.model.";
  private static final String CHECKPOINT = "checkpoint-";
  private static final int NAMES_SHOWN = 3;
  private static final int PIECE_ELEMENTS = 1 << 20;

  private AdapterFiles() {}

  /**
   * Where one tensor of the file lies in the session.
   *
   * @param firstElement of the tensor within the state
   */
  private record Slot(String state, long firstElement, Shape shape) {}

  /** The tensors of the file by PEFT's names, layer by layer in the order of the model. */
  private static SequencedMap<String, Slot> slots(ModelLayout layout) {
    return slots(layout.config(),
        layout.lora().orElseThrow(() -> new IllegalArgumentException("the layout has no adapter")));
  }

  private static SequencedMap<String, Slot> slots(LlamaConfig config, LoraSpec spec) {
    SequencedMap<String, Slot> slots = new LinkedHashMap<>();
    for (int layer = 0; layer < config.layers(); layer++) {
      for (Projection projection : spec.ranks().keySet()) {
        String module = PREFIX + projection.path(layer);
        int rank = spec.rank(projection);
        Shape a = Shape.of(rank, projection.in(config));
        Shape b = Shape.of(projection.out(config), rank);
        slots.put(module + ".lora_A.weight", new Slot(LoraSpec.stateA(projection), layer * a.elements(), a));
        slots.put(module + ".lora_B.weight", new Slot(LoraSpec.stateB(projection), layer * b.elements(), b));
      }
    }
    return slots;
  }

  /**
   * Copies an adapter's tensors into the session's states, which must be allocated. F16 and BF16 are widened to F32.
   *
   * @param folder a run's folder or one of its checkpoints
   * @param layout with the {@link AdapterConfig#spec} of this folder
   * @throws JqloraException {@code MODEL} where a tensor is missing, is not expected, has another shape or type, or
   *   holds NaN or Inf
   */
  public static void load(Path folder, ModelLayout layout, Session session) {
    SequencedMap<String, Slot> slots = slots(layout);
    try (SafetensorsFile file = open(folder, slots)) {
      slots.forEach((name, slot) -> copy(file.stored(name), slot, session));
    }
  }

  /**
   * Makes sure that an adapter is one for a model, before the weights of that are read; returns its description.
   *
   * @throws JqloraException as {@link #load}, but for numbers, which are not looked at
   */
  public static AdapterConfig check(Path folder, LlamaConfig config) {
    AdapterConfig adapter = AdapterConfig.read(folder);
    open(folder, slots(config, adapter.spec())).close();
    return adapter;
  }

  private static SafetensorsFile open(Path folder, SequencedMap<String, Slot> slots) {
    Path path = folder.resolve(FILE);
    if (!Files.exists(path)) {
      throw missing(folder, FILE);
    }
    SafetensorsFile file = SafetensorsFile.open(path);
    try {
      checkNames(file, slots);
      slots.forEach((name, slot) -> checkType(file.stored(name), slot.shape()));
      return file;
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  private static void checkNames(SafetensorsFile file, SequencedMap<String, Slot> slots) {
    List<String> missing = slots.keySet().stream().filter(name -> !file.tensors().containsKey(name)).toList();
    List<String> unexpected = file.tensors().keySet().stream().filter(name -> !slots.containsKey(name)).toList();
    if (missing.isEmpty() && unexpected.isEmpty()) {
      return;
    }
    List<String> complaints = new ArrayList<>();
    if (!missing.isEmpty()) {
      complaints.add("lacks " + listed(missing));
    }
    if (!unexpected.isEmpty()) {
      complaints.add("has unexpectedly " + listed(unexpected));
    }
    throw new JqloraException(Kind.MODEL,
        "%s %s; expected the %d tensors that its %s and the base model imply (is it an adapter of another model?)"
            .formatted(file.path(), String.join(" and ", complaints), slots.size(), AdapterConfig.FILE));
  }

  private static String listed(List<String> names) {
    String first = String.join(", ", names.stream().limit(NAMES_SHOWN).map(FileErrors::quoted).toList());
    return "%d %s (%s%s)".formatted(names.size(), names.size() == 1 ? "tensor" : "tensors", first,
        names.size() > NAMES_SHOWN ? ", …" : "");
  }

  private static void checkType(StoredTensor stored, Shape shape) {
    List<Long> dims = shape.dims().stream().map(Integer::longValue).toList();
    if (stored.type().dtype().filter(DType::isFloat).isEmpty() || !stored.dims().equals(dims)) {
      throw stored.error("is %s; expected F32, F16 or BF16 of shape %s (is the adapter of another rank or base model?)"
          .formatted(stored.info(), shape));
    }
  }

  private static void copy(StoredTensor stored, Slot slot, Session session) {
    Tensor source = stored.tensor();
    long elements = slot.shape().elements();
    float[] values = new float[(int) Math.min(PIECE_ELEMENTS, elements)];
    MemorySegment bytes = MemorySegment.ofArray(values);
    long nonFinite = 0;
    for (long first = 0; first < elements; first += values.length) {
      int count = (int) Math.min(values.length, elements - first);
      FloatReader.read(source, first, values, 0, count);
      for (int i = 0; i < count; i++) {
        nonFinite += Float.isFinite(values[i]) ? 0 : 1;
      }
      session.write(slot.state(), (slot.firstElement() + first) * Float.BYTES, bytes.asSlice(0, (long) count
          * Float.BYTES));
    }
    if (nonFinite > 0) {
      throw stored.error("holds %d values that are NaN or infinite; expected finite weights (did training diverge?)"
          .formatted(nonFinite));
    }
  }

  /**
   * Writes an adapter's two files into a folder, which is made where it is missing. Each file appears whole or not at
   * all; equal states give equal bytes.
   *
   * @param layout with the {@link AdapterConfig#spec} of {@code config}
   */
  public static void save(Path folder, AdapterConfig config, ModelLayout layout, Session session) {
    SequencedMap<String, Slot> slots = slots(layout);
    List<TensorInfo> tensors = slots.entrySet().stream().map(entry -> TensorInfo.of(entry.getKey(), new TensorType(
        DType.F32, entry.getValue().shape()))).toList();
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer = SafetensorsWriter.create(folder.resolve(FILE), tensors)) {
      MemorySegment piece = arena.allocate((long) PIECE_ELEMENTS * Float.BYTES, Float.BYTES);
      slots.forEach((name, slot) -> {
        long end = (slot.firstElement() + slot.shape().elements()) * Float.BYTES;
        for (long at = slot.firstElement() * Float.BYTES; at < end; at += piece.byteSize()) {
          MemorySegment bytes = piece.asSlice(0, Math.min(piece.byteSize(), end - at));
          session.read(slot.state(), at, bytes);
          writer.append(name, bytes);
        }
      });
      writer.commit();
    }
    config.write(folder);
  }

  /** The error for a folder that lacks one of the two files, with what seems to be there instead. */
  static JqloraException missing(Path folder, String file) {
    return new JqloraException(Kind.MODEL, "%s: %s".formatted(folder, missingReason(folder, file)));
  }

  private static String missingReason(Path folder, String file) {
    if (!Files.isDirectory(folder)) {
      return "expected the folder of an adapter, but there is %s"
          .formatted(Files.exists(folder) ? "a file" : "nothing");
    }
    if (Files.exists(folder.resolve(PICKLE))) {
      return "its %s is a Python pickle, which is not read; save the adapter again as %s".formatted(PICKLE, FILE);
    }
    Optional<Path> checkpoint = newestCheckpoint(folder);
    if (checkpoint.isPresent()) {
      return "it has no %s, but %s is in it; name that folder, or let the run finish".formatted(file, quoted(checkpoint
          .get().getFileName().toString()));
    }
    return Files.exists(folder.resolve("config.json"))
        ? "it has no %s; it seems to hold a whole model: give it as model_name_or_path".formatted(file)
        : "it has no %s; expected an adapter's folder with %s and %s".formatted(file, AdapterConfig.FILE, FILE);
  }

  private static Optional<Path> newestCheckpoint(Path folder) {
    Optional<Path> newest = Optional.empty();
    long newestStep = -1;
    try (DirectoryStream<Path> checkpoints = Files.newDirectoryStream(folder, CHECKPOINT + "*")) {
      for (Path checkpoint : checkpoints) {
        String step = checkpoint.getFileName().toString().substring(CHECKPOINT.length());
        if (step.matches("\\d{1,18}") && Long.parseLong(step) > newestStep && Files.exists(checkpoint.resolve(
            AdapterConfig.FILE))) {
          newestStep = Long.parseLong(step);
          newest = Optional.of(checkpoint);
        }
      }
    } catch (IOException e) {
      throw FileErrors.cannotRead(folder, e);
    }
    return newest;
  }
}
