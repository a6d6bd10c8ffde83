package dev.jqlora.engine.tornado;

import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.function.Supplier;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * One launch of an op, as its kernel writes it into a task graph. Operands are numbered: the inputs, then the outputs, then
 * the scratch memory.
 */
final class Launch {
  private final Supplier<GraphWriter> graphs;
  private final List<TensorType> types;
  private final List<Place> places;
  private final int outputs;
  private final FloatArray memory;
  private final FloatArray tables;
  private GraphWriter writer;
  private int first;

  /**
   * @param graphs gives the graph to write to, another one once that is full
   * @param outputs number of the first output
   */
  Launch(Supplier<GraphWriter> graphs, List<TensorType> types, List<Place> places, int outputs, FloatArray memory,
      FloatArray tables) {
    this.graphs = graphs;
    this.types = types;
    this.places = places;
    this.outputs = outputs;
    this.memory = memory;
    this.tables = tables;
    writer = graphs.get();
    first = enter();
  }

  /** Keeps the operands' offsets in the graph; returns the first one's entry. */
  private int enter() {
    int entry = writer.enter(places.getFirst());
    places.stream().skip(1).forEach(writer::enter);
    return entry;
  }

  /** Goes on in another graph if this one is full. What was entered before must then be entered anew. */
  void goOn() {
    GraphWriter next = graphs.get();
    if (next != writer) {
      writer = next;
      first = enter();
    }
  }

  TensorType type(int operand) {
    return types.get(operand);
  }

  long elements(int operand) {
    return type(operand).elements();
  }

  /** The number of an output's operand. */
  int out(int output) {
    return outputs + output;
  }

  /** The number of the scratch memory's operand. */
  int scratch() {
    return places.size() - 1;
  }

  /** The array that holds all F32 operands: 5.2.0 cannot take one array as two arguments of which it writes to one. */
  FloatArray memory() {
    return memory;
  }

  IntArray ints(int operand) {
    return (IntArray) array(operand);
  }

  ByteArray bytes(int operand) {
    return (ByteArray) array(operand);
  }

  ShortArray shorts(int operand) {
    return (ShortArray) array(operand);
  }

  /** What a task is given for bytes where what is compiled for it reads none. */
  ByteArray noBytes() {
    return writer.noBytes();
  }

  /** Likewise for 16-bit numbers. */
  ShortArray noShorts() {
    return writer.noShorts();
  }

  private TornadoNativeArray array(int operand) {
    return places.get(operand).array();
  }

  /** Whether two operands lie at the same place. */
  boolean isSame(int operand, int other) {
    return places.get(operand).isSame(places.get(other));
  }

  KernelContext context() {
    return writer.context();
  }

  /** The array of offsets. */
  IntArray at() {
    return writer.at();
  }

  /** The entry of the offset of operand 0; the other operands' follow in their order. */
  int first() {
    return first;
  }

  /** The entry of an operand's offset. */
  int at(int operand) {
    return first + operand;
  }

  /** A new entry for a place within an operand. */
  int at(int operand, long element) {
    return writer.enter(places.get(operand).plus(element));
  }

  /**
   * Whole numbers for one task, in an array of their own: as plain arguments they would be compiled in, and the driver would
   * compile the same code again for each task.
   */
  IntArray call(int... numbers) {
    return writer.numbers(numbers);
  }

  /** Constants of {@link Tables}. */
  FloatArray tables() {
    return tables;
  }

  String id() {
    return writer.id();
  }

  /** See {@link GraphWriter#over}. */
  TaskGraph over(long count) {
    return writer.over(count);
  }

  /** See {@link GraphWriter#groups}. */
  TaskGraph groups(long count) {
    return writer.groups(Math.toIntExact(count));
  }

  /** See {@link GraphWriter#squares}. */
  TaskGraph squares(int columns, int rows, int layers, int size) {
    return writer.squares(columns, rows, layers, size);
  }

  /** Puts an input into an output, unless it is there already, for a kernel that then changes the output in place. */
  void copyThrough(int input, int output) {
    if (!isSame(input, out(output))) {
      Copies.emit(writer, type(input).dtype(), array(input), at(input), array(out(output)), at(out(output)),
          elements(input));
    }
  }
}
