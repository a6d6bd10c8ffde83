package dev.jqlora.llama.model;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.DoubleQuantize;
import dev.jqlora.engine.op.Nf4Quantize;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Quantizes the matrices of a checkpoint while they are loaded: by programs of the session, a piece of a matrix at a time,
 * where it has kernels for {@link Nf4Quantize} and {@link DoubleQuantize}; else by the codec on the host. The bytes are the
 * same.
 */
final class Nf4Quantizer {
  /**
   * Numbers in a piece, a multiple of every block size: few enough that a training step needs more memory than they do, and
   * enough that sending them takes longer than starting a program.
   */
  static final int PIECE = 1 << 21;

  private static final String X = "x";
  private static final String CODES = "codes";
  private static final String ABSMAX = "absmax";
  private static final String NESTED_ABSMAX = "nested_absmax";
  private static final String OFFSET = "offset";

  private final Session session;
  private final Map<String, Executable> executables = new HashMap<>();

  Nf4Quantizer(Session session) {
    this.session = session;
  }

  /**
   * A matrix in NF4, and how many of its values are not finite; the result is of no use unless there are none.
   *
   * @param arena a shared or automatic one
   */
  Nf4.Quantized quantize(Tensor matrix, WeightFormat.Nf4 format, Arena arena) {
    // Where the layers' types differ, only that of the first was planned for.
    boolean planned = format.source().equals(Optional.of(matrix.type().dtype()));
    return planned && !programs(matrix.type().elements(), format, session).isEmpty()
        ? inSession(matrix, format, arena)
        : byCodec(matrix, format, arena);
  }

  private static Nf4.Quantized byCodec(Tensor matrix, WeightFormat.Nf4 format, Arena arena) {
    Nf4.Quantized quantized = Nf4.quantize(matrix, format.blockSize(), arena);
    Nf4Tensor plain = quantized.weight();
    return format.nested()
        ? new Nf4.Quantized(new Nf4Tensor(plain.shape(), plain.blockSize(), plain.codes(),
            DoubleQuantization.quantize(plain.absmax(), arena)), quantized.nonFinite())
        : quantized;
  }

  private Nf4.Quantized inSession(Tensor matrix, WeightFormat.Nf4 format, Arena arena) {
    TensorType type = matrix.type();
    MemorySegment codes = arena.allocate(Nf4.codeBytes(type.elements()), Alignment.BYTES);
    MemorySegment absmax = arena.allocate(Nf4.blocks(type.elements(), format.blockSize()) * Float.BYTES,
        Alignment.BYTES);
    for (long first = 0; first < type.elements(); first += PIECE) {
      TensorType piece = piece(type.dtype(), type.elements() - first);
      Map<String, Tensor> quantized = run(quantization(piece, format.blockSize()), X,
          new Tensor(piece, matrix.data().asSlice(first * type.dtype().bytes(), piece.bytes())));
      codes.asSlice(Nf4.codeBytes(first)).copyFrom(result(quantized, CODES));
      absmax.asSlice(Nf4.blocks(first, format.blockSize()) * Float.BYTES).copyFrom(result(quantized, ABSMAX));
    }
    Absmax.Plain scales = new Absmax.Plain(absmax);
    for (long block = 0; block < scales.blocks(); block++) {
      if (!Float.isFinite(scales.get(block))) {
        // The codec counts what is not finite.
        return byCodec(matrix, format, arena);
      }
    }
    return new Nf4.Quantized(new Nf4Tensor(type.shape(), format.blockSize(), codes,
        format.nested() ? nested(absmax, arena) : scales), 0);
  }

  private Absmax.Nested nested(MemorySegment absmax, Arena arena) {
    TensorType type = TensorType.f32(Math.toIntExact(absmax.byteSize() / Float.BYTES));
    Map<String, Tensor> quantized = run(doubleQuantization(type), ABSMAX, new Tensor(type, absmax));
    return new Absmax.Nested(copy(result(quantized, CODES), arena), DynamicMap.SIGNED,
        copy(result(quantized, NESTED_ABSMAX), arena), result(quantized, OFFSET).get(Absmax.F32, 0));
  }

  private Map<String, Tensor> run(Program program, String feed, Tensor tensor) {
    return executables.computeIfAbsent(program.name(), _ -> session.compile(program)).run(Map.of(feed, tensor));
  }

  private static MemorySegment result(Map<String, Tensor> results, String name) {
    return Objects.requireNonNull(results.get(name), name).data();
  }

  private static MemorySegment copy(MemorySegment source, Arena arena) {
    return arena.allocate(source.byteSize(), Alignment.BYTES).copyFrom(source);
  }

  /** The programs that quantize matrices of so many elements; none where not all of their ops have kernels. */
  static List<Program> programs(long elements, WeightFormat.Nf4 format, Capabilities capabilities) {
    List<Program> programs = new ArrayList<>();
    format.source().ifPresent(dtype -> {
      programs.add(quantization(piece(dtype, elements), format.blockSize()));
      if (elements > PIECE && elements % PIECE != 0) {
        programs.add(quantization(piece(dtype, elements % PIECE), format.blockSize()));
      }
      if (format.nested()) {
        programs.add(doubleQuantization(TensorType.f32(Math.toIntExact(Nf4.blocks(elements, format.blockSize())))));
      }
    });
    boolean supported = programs.stream().flatMap(program -> program.graph().nodes().stream())
        .allMatch(node -> capabilities.supports(node) instanceof Support.Native);
    return supported ? programs : List.of();
  }

  /** The type of the next piece where so many elements are left. */
  private static TensorType piece(DType dtype, long left) {
    return new TensorType(dtype, Shape.of((int) Math.min(PIECE, left)));
  }

  private static Program quantization(TensorType piece, int blockSize) {
    Program.Builder program = new Program.Builder("nf4_quantize %s/%d".formatted(piece, blockSize));
    List<Value> quantized = program.graph().applyAll(new Nf4Quantize(blockSize), List.of(program.feed(X, piece)));
    return program.fetch(CODES, quantized.get(0)).fetch(ABSMAX, quantized.get(1)).build();
  }

  private static Program doubleQuantization(TensorType absmax) {
    Program.Builder program = new Program.Builder("double_quantize " + absmax);
    List<Value> quantized = program.graph().applyAll(new DoubleQuantize(), List.of(program.feed(ABSMAX, absmax)));
    return program.fetch(CODES, quantized.get(0)).fetch(NESTED_ABSMAX, quantized.get(1))
        .fetch(OFFSET, quantized.get(2)).build();
  }
}
