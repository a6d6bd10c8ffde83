package dev.jqlora.engine.tornado;

import dev.jqlora.engine.tensor.DType;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/** Tasks that copy elements from one place on the device to another. */
final class Copies {
  private Copies() {}

  /**
   * Adds a copy.
   *
   * @param from entry of the first element's offset; {@code to} likewise
   */
  static void emit(GraphWriter writer, DType dtype, TornadoNativeArray source, int from, TornadoNativeArray target,
      int to,
      long count) {
    int n = Math.toIntExact(count);
    IntArray call = writer.numbers(from, to, n);
    switch (dtype) {
      case F32 -> writer.over(n).task(writer.id(), Copies::floats, writer.context(), (FloatArray) source,
          (FloatArray) target, writer.at(), call);
      case I32 -> writer.over(n).task(writer.id(), Copies::ints, writer.context(), (IntArray) source,
          (IntArray) target, writer.at(), call);
      case U8 -> writer.over(n).task(writer.id(), Copies::bytes, writer.context(), (ByteArray) source,
          (ByteArray) target, writer.at(), call);
      case F16, BF16 -> writer.over(n).task(writer.id(), Copies::shorts, writer.context(), (ShortArray) source,
          (ShortArray) target, writer.at(), call);
    }
  }

  static void floats(KernelContext context, FloatArray source, FloatArray target, IntArray at, IntArray call) {
    int i = context.globalIdx;
    if (i < call.get(2)) {
      target.set(at.get(call.get(1)) + i, source.get(at.get(call.get(0)) + i));
    }
  }

  static void ints(KernelContext context, IntArray source, IntArray target, IntArray at, IntArray call) {
    int i = context.globalIdx;
    if (i < call.get(2)) {
      target.set(at.get(call.get(1)) + i, source.get(at.get(call.get(0)) + i));
    }
  }

  static void bytes(KernelContext context, ByteArray source, ByteArray target, IntArray at, IntArray call) {
    int i = context.globalIdx;
    if (i < call.get(2)) {
      target.set(at.get(call.get(1)) + i, source.get(at.get(call.get(0)) + i));
    }
  }

  static void shorts(KernelContext context, ShortArray source, ShortArray target, IntArray at, IntArray call) {
    int i = context.globalIdx;
    if (i < call.get(2)) {
      target.set(at.get(call.get(1)) + i, source.get(at.get(call.get(0)) + i));
    }
  }

  /** A tensor that is copied together with others of its element type. */
  record Part(int from, int to, int count) {}

  /**
   * Adds one task that copies parts of an array into parts of another. What it copies stands in a table of its own, so its
   * code is the same in every program.
   */
  static void emit(GraphWriter writer, TornadoNativeArray source, TornadoNativeArray target, List<Part> parts) {
    int[] rows = new int[3 * parts.size() + 2];
    int total = 0;
    int row = 2;
    for (Part part : parts) {
      total += part.count();
      rows[row++] = part.from();
      rows[row++] = part.to();
      rows[row++] = total;
    }
    rows[0] = total;
    rows[1] = 2;
    IntArray table = writer.numbers(rows);
    switch (source) {
      case FloatArray floats -> writer.over(total).task(writer.id(), Copies::floatParts, writer.context(), floats,
          (FloatArray) target, table);
      case IntArray ints -> writer.over(total).task(writer.id(), Copies::intParts, writer.context(), ints,
          (IntArray) target, table);
      case ByteArray bytes -> writer.over(total).task(writer.id(), Copies::byteParts, writer.context(), bytes,
          (ByteArray) target, table);
      case ShortArray shorts -> writer.over(total).task(writer.id(), Copies::shortParts, writer.context(), shorts,
          (ShortArray) target, table);
      default -> throw new IllegalArgumentException(source.getClass().getName());
    }
  }

  static void floatParts(KernelContext context, FloatArray source, FloatArray target, IntArray table) {
    int i = context.globalIdx;
    if (i < table.get(0)) {
      int row = table.get(1);
      int begin = 0;
      while (i >= table.get(row + 2)) {
        begin = table.get(row + 2);
        row += 3;
      }
      target.set(table.get(row + 1) + i - begin, source.get(table.get(row) + i - begin));
    }
  }

  static void intParts(KernelContext context, IntArray source, IntArray target, IntArray table) {
    int i = context.globalIdx;
    if (i < table.get(0)) {
      int row = table.get(1);
      int begin = 0;
      while (i >= table.get(row + 2)) {
        begin = table.get(row + 2);
        row += 3;
      }
      target.set(table.get(row + 1) + i - begin, source.get(table.get(row) + i - begin));
    }
  }

  static void byteParts(KernelContext context, ByteArray source, ByteArray target, IntArray table) {
    int i = context.globalIdx;
    if (i < table.get(0)) {
      int row = table.get(1);
      int begin = 0;
      while (i >= table.get(row + 2)) {
        begin = table.get(row + 2);
        row += 3;
      }
      target.set(table.get(row + 1) + i - begin, source.get(table.get(row) + i - begin));
    }
  }

  static void shortParts(KernelContext context, ShortArray source, ShortArray target, IntArray table) {
    int i = context.globalIdx;
    if (i < table.get(0)) {
      int row = table.get(1);
      int begin = 0;
      while (i >= table.get(row + 2)) {
        begin = table.get(row + 2);
        row += 3;
      }
      target.set(table.get(row + 1) + i - begin, source.get(table.get(row) + i - begin));
    }
  }
}
