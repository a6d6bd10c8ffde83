package dev.jqlora.engine.tornado;

import dev.jqlora.engine.tensor.DType;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/** The graph that brings the shared arrays to the device, and those that change parts of them later. */
final class Residence {
  /** Elements that one run of a staging graph writes at most. */
  static final int STAGED = 1 << 16;

  private Residence() {}

  /** Adds the graph that uploads all shared arrays; it is run once, before any other. */
  static int upload(Graphs graphs, Object[] resident) {
    GraphWriter writer = new GraphWriter("upload", new Object[0], List.of(), List.of());
    // An array for each execution is allocated even where no task names it, and there is one execution.
    writer.upload(resident);
    return add(graphs, writer, resident);
  }

  /** Adds a graph that computes nothing: after it, graphs that have never run find the shared arrays. */
  static int link(Graphs graphs, Object[] resident) {
    return add(graphs, new GraphWriter("link" + graphs.size(), resident, List.of(), List.of()), resident);
  }

  private static int add(Graphs graphs, GraphWriter writer, Object[] resident) {
    writer.groups(1).task(writer.id(), Residence::nothing, writer.context(), writer.at());
    return graphs.add(writer, resident);
  }

  static void nothing(KernelContext context, IntArray at) {
    if (context.globalIdx == 0) {
      at.set(0, 0);
    }
  }

  /** Device memory of the graphs that upload and link. */
  static long fixedBytes() {
    return 2 * GraphWriter.bytes(1);
  }

  /** Device memory of the graph that writes to an array of an element type. */
  static long stagingBytes(DType kind) {
    return GraphWriter.bytes(1) + DeviceArrays.bytes(kind, STAGED) + DeviceArrays.bytes(DType.I32, 2);
  }

  /**
   * A graph that writes to an array on the device.
   *
   * @param stage what to write
   * @param range where: the first element, and how many
   */
  record Staging(int graph, TornadoNativeArray stage, IntArray range) {}

  /** An array by which the host writes to one of the same type. */
  static TornadoNativeArray stage(TornadoNativeArray target) {
    return switch (target) {
      case FloatArray _ -> new FloatArray(STAGED);
      case IntArray _ -> new IntArray(STAGED);
      case ByteArray _ -> new ByteArray(STAGED);
      case ShortArray _ -> new ShortArray(STAGED);
      default -> throw new IllegalArgumentException(target.getClass().getName());
    };
  }

  /** Adds the graph that writes to {@code target}. */
  static Staging staging(Graphs graphs, TornadoNativeArray target, TornadoNativeArray stage, Object[] resident) {
    GraphWriter writer = new GraphWriter("stage" + graphs.size(), resident, List.of(), List.of());
    IntArray range = new IntArray(2);
    writer.give(DataTransferMode.EVERY_EXECUTION, stage, range);
    switch (target) {
      case FloatArray floats -> writer.over(STAGED).task(writer.id(), Residence::writeFloats, writer.context(),
          (FloatArray) stage, range, floats);
      case IntArray ints ->
        writer.over(STAGED).task(writer.id(), Residence::writeInts, writer.context(), (IntArray) stage,
            range, ints);
      case ByteArray bytes -> writer.over(STAGED).task(writer.id(), Residence::writeBytes, writer.context(),
          (ByteArray) stage, range, bytes);
      case ShortArray shorts -> writer.over(STAGED).task(writer.id(), Residence::writeShorts, writer.context(),
          (ShortArray) stage, range, shorts);
      default -> throw new IllegalArgumentException(target.getClass().getName());
    }
    return new Staging(graphs.add(writer, resident), stage, range);
  }

  static void writeFloats(KernelContext context, FloatArray stage, IntArray range, FloatArray target) {
    int i = context.globalIdx;
    if (i < range.get(1)) {
      target.set(range.get(0) + i, stage.get(i));
    }
  }

  static void writeInts(KernelContext context, IntArray stage, IntArray range, IntArray target) {
    int i = context.globalIdx;
    if (i < range.get(1)) {
      target.set(range.get(0) + i, stage.get(i));
    }
  }

  static void writeBytes(KernelContext context, ByteArray stage, IntArray range, ByteArray target) {
    int i = context.globalIdx;
    if (i < range.get(1)) {
      target.set(range.get(0) + i, stage.get(i));
    }
  }

  static void writeShorts(KernelContext context, ShortArray stage, IntArray range, ShortArray target) {
    int i = context.globalIdx;
    if (i < range.get(1)) {
      target.set(range.get(0) + i, stage.get(i));
    }
  }
}
