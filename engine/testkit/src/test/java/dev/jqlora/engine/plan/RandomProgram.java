package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Dropout;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.op.RmsNorm;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.op.SumTo;
import dev.jqlora.engine.op.SwiGlu;
import dev.jqlora.engine.op.SwiGluGradient;
import dev.jqlora.engine.op.Transpose;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Programs without a purpose but with every difficulty for a planner: values that die and values that stay, ops that work
 * in place and ops that do not, several outputs, reshapes of reshapes, Repeat within Repeat in both directions, values
 * handed on unchanged or in each other's place, states that are read, written, moved and fetched.
 */
final class RandomProgram {
  private static final List<Shape> SHAPES = List.of(Shape.of(4, 6), Shape.of(2, 3, 4), Shape.of(2, 2, 6),
      Shape.of(3, 8), Shape.of(6), Shape.of(4), Shape.of(2, 2, 2, 3));
  private static final int MAX_DEPTH = 2;

  private final Random random;

  RandomProgram(long seed) {
    random = new Random(seed);
  }

  Program build() {
    Program.Builder program = new Program.Builder("random");
    List<Value> pool = new ArrayList<>();
    List<Value> states = new ArrayList<>();
    for (int i = 0; i < 1 + random.nextInt(4); i++) {
      Value state = program.state("state" + i, new TensorType(DType.F32, pick(SHAPES)));
      states.add(state);
      pool.add(state);
    }
    for (int i = 0; i < 1 + random.nextInt(3); i++) {
      pool.add(program.feed("feed" + i, new TensorType(DType.F32, pick(SHAPES))));
    }
    pool.add(program.feed("seed", TensorType.i32()));
    nodes(program.graph(), pool, 4 + random.nextInt(12), 0);
    for (int i = 0; i < states.size(); i++) {
      if (random.nextInt(4) > 0) {
        program.write("state" + i, like(program.graph(), pool, states.get(i)));
      }
    }
    if (random.nextBoolean()) {
      program.write("written", pick(pool));
    }
    for (int i = 0; i < 1 + random.nextInt(3); i++) {
      program.fetch("fetch" + i, pick(pool));
    }
    return program.build();
  }

  private void nodes(GraphBuilder builder, List<Value> pool, int count, int depth) {
    for (int i = 0; i < count; i++) {
      Value x = pick(pool);
      if (!x.type().dtype().isFloat()) {
        continue;
      }
      switch (random.nextInt(12)) {
        case 0, 1 -> pool.add(half(builder, builder.apply(new Add(), x, like(builder, pool, x))));
        case 2 -> pool.add(builder.apply(new Multiply(), x, like(builder, pool, x)));
        case 3 -> pool.add(builder.apply(new Scale(-0.75f, 0.125f), x));
        case 4 -> pool.add(reshaped(builder, x));
        case 5 -> pool.add(builder.apply(new SwiGlu(), x, like(builder, pool, x)));
        case 6 -> builder.applyAll(new SwiGluGradient(), List.of(x, like(builder, pool, x), like(builder, pool, x)))
            .forEach(output -> {
              if (random.nextInt(3) > 0) {
                pool.add(output);
              }
            });
        case 7 -> pool.add(rows(builder, pool, x));
        case 8 -> {
          Value sum = builder.apply(new SumTo(x.type().shape().withLast(1)), x);
          pool.add(half(builder, builder.apply(new Multiply(), x, half(builder, sum))));
        }
        case 9 -> {
          List<Value> integers = pool.stream().filter(value -> value.type().equals(TensorType.i32())).toList();
          pool.add(integers.isEmpty()
              ? x
              : builder.apply(new Dropout(0.25f, random.nextInt(3)), x, pick(integers), pick(integers)));
        }
        default -> {
          if (depth < MAX_DEPTH) {
            repeat(builder, pool, x, depth);
          }
        }
      }
    }
  }

  private static Value half(GraphBuilder builder, Value x) {
    return builder.apply(new Scale(0.5f), x);
  }

  private Value reshaped(GraphBuilder builder, Value x) {
    List<Shape> shapes = new ArrayList<>(
        SHAPES.stream().filter(shape -> shape.elements() == x.type().elements()).toList());
    shapes.add(x.type().shape());
    return builder.apply(new Reshape(pick(shapes)), x);
  }

  /** Ops on matrices: of a matrix, or of any value reshaped to one. */
  private Value rows(GraphBuilder builder, List<Value> pool, Value x) {
    int width = x.type().shape().last();
    Value matrix = builder.apply(new Reshape(Shape.of((int) x.type().elements() / width, width)), x);
    Value y = switch (random.nextInt(4)) {
      case 0 -> builder.apply(new RmsNorm(1e-3f), matrix,
          builder.apply(new SumTo(Shape.of(width)), half(builder, matrix)));
      case 1 -> builder.apply(new Scale(0.125f),
          builder.apply(MatMul.NN, builder.apply(MatMul.NT, matrix, matrix), matrix));
      case 2 -> builder.apply(new Transpose(List.of(1, 0)), matrix);
      default -> matrix;
    };
    return y.type().elements() == x.type().elements() && random.nextBoolean()
        ? builder.apply(new Reshape(x.type().shape()), y)
        : y;
  }

  private void repeat(GraphBuilder builder, List<Value> pool, Value x, int depth) {
    int count = x.type().shape().rank() > 0 && x.type().shape().dim(0) <= 4 ? x.type().shape().dim(0) : 2;
    List<Value> slicable = pool.stream()
        .filter(value -> value.type().shape().rank() > 1 && value.type().shape().dim(0) == count).toList();
    List<Value> carried = some(pool, 3);
    List<Value> stacked = slicable.isEmpty() ? List.of() : some(slicable, 3);
    List<Value> shared = some(pool, 2);
    Repeat forward = null;
    GraphBuilder holder = new GraphBuilder();
    List<Value> copies = new ArrayList<>();
    for (List<Value> values : List.of(carried, stacked, shared)) {
      values.forEach(value -> copies.add(holder.input(value.name(), value.type())));
    }
    Repeat.apply(holder, count, SavePolicy.NOTHING, copies.subList(0, carried.size()),
        copies.subList(carried.size(), carried.size() + stacked.size()),
        copies.subList(carried.size() + stacked.size(), copies.size()), (body, index, in, slices, common) -> {
          List<Value> inner = new ArrayList<>(in);
          inner.addAll(slices);
          inner.addAll(common);
          inner.add(index);
          nodes(body, inner, 1 + random.nextInt(7), depth + 1);
          List<Value> next = in.stream().map(value -> like(body, inner, value)).toList();
          List<Value> outputs = new ArrayList<>(some(inner, 3));
          if (next.isEmpty() && outputs.isEmpty()) {
            outputs.add(inner.getFirst());
          }
          return new Repeat.Result(next, outputs);
        });
    forward = (Repeat) holder.nodes().getFirst().op();
    Repeat directed = random.nextBoolean()
        ? forward
        : new Repeat(count, forward.body(), forward.carried(), forward.stacked(), true, SavePolicy.NOTHING);
    List<Value> arguments = new ArrayList<>(carried);
    arguments.addAll(stacked);
    arguments.addAll(shared);
    pool.addAll(builder.applyAll(directed, arguments));
  }

  /** A value of the same type: most often a young one, now and then a reshape of one, at worst the value itself. */
  private Value like(GraphBuilder builder, List<Value> pool, Value value) {
    List<Value> same = pool.stream().filter(other -> other.type().dtype() == value.type().dtype()
        && other.type().elements() == value.type().elements()).toList();
    Value other = same.isEmpty() ? value : same.get(Math.max(random.nextInt(same.size()), random.nextInt(same.size())));
    return other.type().equals(value.type()) ? other : builder.apply(new Reshape(value.type().shape()), other);
  }

  private List<Value> some(List<Value> values, int atMost) {
    List<Value> some = new ArrayList<>();
    for (int i = random.nextInt(atMost + 1); i > 0; i--) {
      some.add(pick(values));
    }
    return some;
  }

  private <T> T pick(List<T> from) {
    return from.get(random.nextInt(from.size()));
  }
}
