package dev.jqlora.training.run;

import static dev.jqlora.llama.files.FileErrors.quoted;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.safetensors.SafetensorsFile;
import dev.jqlora.llama.safetensors.SafetensorsWriter;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;

/**
 * States of a session in a safetensors file under their own names and types, byte for byte: how a checkpoint holds the
 * optimizer's moments. Copied piece by piece, so no state is in host memory whole.
 */
public final class SessionStates {
  /** The file of the optimizer's states in a checkpoint. */
  public static final String FILE = "optimizer.safetensors";

  private static final long PIECE_BYTES = 4L << 20;

  private SessionStates() {}

  /** Writes states to a file, which appears whole or not at all. */
  public static void save(Path file, Session session, Collection<String> states) {
    List<TensorInfo> tensors = states.stream().map(name -> TensorInfo.of(name, session.type(name))).toList();
    try (Arena arena = Arena.ofConfined(); SafetensorsWriter writer = SafetensorsWriter.create(file, tensors)) {
      MemorySegment piece = arena.allocate(PIECE_BYTES, Long.BYTES);
      for (String name : states) {
        long bytes = session.type(name).bytes();
        for (long at = 0; at < bytes; at += PIECE_BYTES) {
          MemorySegment part = piece.asSlice(0, Math.min(PIECE_BYTES, bytes - at));
          session.read(name, at, part);
          writer.append(name, part);
        }
      }
      writer.commit();
    }
  }

  /**
   * Fills states, which must be allocated, from a file.
   *
   * @throws JqloraException {@code MODEL} where the file holds other names or types
   */
  public static void load(Path file, Session session, Collection<String> states) {
    try (SafetensorsFile opened = SafetensorsFile.open(file)) {
      for (String name : opened.tensors().keySet()) {
        if (!states.contains(name)) {
          throw new JqloraException(Kind.MODEL,
              "%s has the state %s, which this run does not have; is it the checkpoint of another optimizer or adapter?"
                  .formatted(file, quoted(name)));
        }
      }
      for (String name : states) {
        checkType(opened, name, session.type(name));
      }
      for (String name : states) {
        session.write(name, 0, opened.stored(name).data());
      }
    }
  }

  private static void checkType(SafetensorsFile file, String name, TensorType type) {
    TensorInfo expected = TensorInfo.of(name, type);
    TensorInfo stored = file.stored(name).info();
    if (!stored.equals(expected)) {
      throw file.stored(name).error("is %s; expected %s (is it the checkpoint of another optimizer or adapter?)"
          .formatted(stored, expected));
    }
  }
}
