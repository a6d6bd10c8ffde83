package dev.jqlora.bench;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;

/** Fills states with numbers of the size that a model has; what a state holds follows from its name and type. */
final class RandomStates {
  /** No divisor of any extent, so that rows differ although the numbers repeat. */
  private static final int PERIOD = 1_000_003;
  private static final float WEIGHT = 0.02f;
  private static final double ROPE_THETA = 500_000;

  private final MemorySegment floats;
  private final MemorySegment halves;
  private final MemorySegment bytes;

  RandomStates() {
    Random random = new Random(7);
    float[] numbers = new float[PERIOD];
    short[] rounded = new short[PERIOD];
    byte[] codes = new byte[PERIOD];
    for (int i = 0; i < PERIOD; i++) {
      numbers[i] = WEIGHT * (float) random.nextGaussian();
      rounded[i] = BFloat16.fromFloat(numbers[i]);
    }
    random.nextBytes(codes);
    floats = MemorySegment.ofArray(numbers);
    halves = MemorySegment.ofArray(rounded);
    bytes = MemorySegment.ofArray(codes);
  }

  void fill(Session session, String state, TensorType type) {
    repeat(session, state, type, switch (type.dtype()) {
      case F32 -> floats(state, type);
      case BF16 -> halves;
      case U8 -> bytes;
      case F16, I32 -> throw new IllegalArgumentException("no random content for state %s, %s".formatted(state, type));
    });
  }

  private MemorySegment floats(String state, TensorType type) {
    String kind = state.substring(state.lastIndexOf('.') + 1);
    return switch (kind) {
      case "cos", "sin" -> MemorySegment.ofArray(rotations(kind.equals("cos"), type));
      case "norm", "input_layernorm", "post_attention_layernorm" -> constant(1);
      case "absmax", "nested_absmax" -> constant(WEIGHT);
      case "absmax_offset" -> constant(3 * WEIGHT);
      case "absmax_map" -> MemorySegment.ofArray(ramp());
      default -> floats;
    };
  }

  private static MemorySegment constant(float value) {
    float[] values = new float[1024];
    Arrays.fill(values, value);
    return MemorySegment.ofArray(values);
  }

  /** What the codes of quantized scales stand for: -1 to 1. */
  private static float[] ramp() {
    float[] map = new float[256];
    for (int i = 0; i < map.length; i++) {
      map[i] = (i - 127.5f) / 127.5f;
    }
    return map;
  }

  /** The rotary tables {@code [positions, half]}. */
  private static float[] rotations(boolean cos, TensorType type) {
    int half = type.shape().last();
    float[] table = new float[Math.toIntExact(type.elements())];
    for (int i = 0; i < table.length; i++) {
      double angle = i / half * Math.pow(ROPE_THETA, -(double) (i % half) / half);
      table[i] = (float) (cos ? Math.cos(angle) : Math.sin(angle));
    }
    return table;
  }

  private static void repeat(Session session, String state, TensorType type, MemorySegment source) {
    for (long done = 0; done < type.bytes(); done += source.byteSize()) {
      session.write(state, done, source.asSlice(0, Math.min(source.byteSize(), type.bytes() - done)));
    }
  }
}
