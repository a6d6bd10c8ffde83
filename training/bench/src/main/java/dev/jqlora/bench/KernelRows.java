package dev.jqlora.bench;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.op.RmsNorm;
import dev.jqlora.engine.op.RmsNormGradient;
import dev.jqlora.engine.op.Rope;
import dev.jqlora.engine.op.SwiGlu;
import dev.jqlora.engine.op.SwiGluGradient;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.model.Projection;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.function.Function;

/** The rows that measure kernels one by one. */
final class KernelRows {
  private static final List<String> NF4_PARTS = List.of("codes", "absmax", "absmax_map", "nested_absmax",
      "absmax_offset");
  static final int LORA_RANK = 16;
  private static final String OWN_PRODUCT = "our float32 matmul";
  private static final String SCALING = "1 to 2 threads: ";
  /** The row that says what the machine gives a second thread that only computes. */
  static final String MACHINE_SCALING = SCALING + "multiply-adds alone";
  private static final String ONE_THREAD = "one thread";

  private final Sizes sizes;
  private final LlamaConfig model;
  private final int tokens;

  KernelRows(Sizes sizes) {
    this.sizes = sizes;
    model = sizes.model();
    tokens = sizes.tokens();
  }

  List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    for (Weight weight : weights()) {
      rows.add(product(MatMul.NT, weight));
      rows.add(product(MatMul.NN, weight));
    }
    rows.add(transposedProduct(weights().getFirst()));
    for (Weight weight : weights()) {
      rows.add(nf4(false, weight));
      rows.add(nf4(true, weight));
    }
    for (int n : new int[]{tokens, sizes.longTokens()}) {
      rows.add(attention(n, false));
      rows.add(attention(n, true));
    }
    rows.add(head());
    rows.addAll(elementwise());
    rows.add(adamW());
    return rows;
  }

  /** The rows that compare two threads with one. */
  List<Row> scaling() {
    Weight weight = weights().getFirst();
    Row product = product(MatMul.NT, weight);
    Row nf4 = nf4(false, weight);
    return List.of(machine(), scaling(product, bench -> product(bench, MatMul.NT, weight)),
        scaling(nf4, bench -> nf4(bench, false, weight)),
        scaling(attention(tokens, true), bench -> attention(bench, tokens, true)));
  }

  /** Arithmetic alone, of which one thread does as much in two runs. */
  private static Row machine() {
    return new Row(MACHINE_SCALING, Roof.MULTIPLY_ADD, List.of(), _ -> {
      RoofRun both = new RoofRun(2);
      return new Setup(both, both.cost()).rival(ONE_THREAD, new Setup.Part(new RoofRun(1), 2));
    });
  }

  /** A row whose goal is what a second thread gives. */
  static Row scaling(Row row, Function<Workbench, ProgramRun> run) {
    return new Row(SCALING + row.name(), row.roof(), List.of(new Goal.Speed(ONE_THREAD, 1.85)),
        bench -> Setup.of(run.apply(bench.onThreads(2)))
            .rival(ONE_THREAD, new Setup.Part(run.apply(bench.onThreads(1)), 1)));
  }

  /** The extents of a linear layer's weight. */
  private record Weight(int out, int in) {}

  private SequencedSet<Weight> weights() {
    SequencedSet<Weight> weights = new LinkedHashSet<>();
    for (Projection projection : Projection.values()) {
      weights.add(new Weight(projection.out(model), projection.in(model)));
    }
    return sizes.everyProjection() ? weights : new LinkedHashSet<>(List.of(weights.getFirst()));
  }

  private Row product(MatMul op, Weight weight) {
    int k = op.transposeB() ? weight.in() : weight.out();
    int n = op.transposeB() ? weight.out() : weight.in();
    Task task = new Task.Product(tokens, k, n, op.transposeB());
    return new Row("matmul %s %d × %d × %d".formatted(op.transposeB() ? "NT" : "NN", tokens, k, n), Roof.MULTIPLY_ADD,
        List.of(new Goal.Speed(Goal.PEER, 1.05), new Goal.OfRoof(0.8)), bench -> {
          ProgramRun run = product(bench, op, weight);
          return Setup.of(run).comparedWith(task, run);
        });
  }

  private ProgramRun product(Workbench bench, MatMul op, Weight weight) {
    int k = op.transposeB() ? weight.in() : weight.out();
    return applied(bench, op, List.of("a", "b"), List.of(TensorType.f32(tokens, k),
        TensorType.f32(weight.out(), weight.in())), List.of("c"));
  }

  /** A product of two square matrices. */
  static ProgramRun square(Workbench bench, int n) {
    return applied(bench, MatMul.NT, List.of("a", "b"), Collections.nCopies(2, TensorType.f32(n, n)), List.of("c"));
  }

  /** The product that gives the gradient of an adapter's matrix. */
  private Row transposedProduct(Weight weight) {
    return new Row("matmul TN %d × %d × %d".formatted(LORA_RANK, tokens, weight.in()), Roof.MULTIPLY_ADD, List.of(),
        bench -> Setup.of(applied(bench, MatMul.TN, List.of("a", "b"), List.of(TensorType.f32(tokens, LORA_RANK),
            TensorType.f32(tokens, weight.in())), List.of("c"))));
  }

  private Row nf4(boolean gradient, Weight weight) {
    int k = gradient ? weight.out() : weight.in();
    int n = gradient ? weight.in() : weight.out();
    return new Row("nf4 linear %s %d × %d × %d".formatted(gradient ? "input gradient" : "forward", tokens, k, n),
        Roof.MULTIPLY_ADD, List.of(new Goal.Speed(OWN_PRODUCT, 0.93)), bench -> Setup.of(nf4(bench, gradient, weight))
            .rival(OWN_PRODUCT, new Setup.Part(product(bench, gradient ? MatMul.NN : MatMul.NT, weight), 1)));
  }

  private ProgramRun nf4(Workbench bench, boolean gradient, Weight weight) {
    Nf4Weight nf4 = new Nf4Weight(weight.out(), weight.in(), Nf4.DEFAULT_BLOCK_SIZE, true);
    Op op = gradient ? new Nf4LinearGradient(nf4) : new Nf4Linear(nf4);
    List<String> names = new ArrayList<>(List.of("x"));
    NF4_PARTS.forEach(part -> names.add("w." + part));
    List<TensorType> types = new ArrayList<>(
        List.of(bench.stored(tokens, gradient ? weight.out() : weight.in())));
    types.addAll(nf4.types());
    return applied(bench, op, names, types, List.of("y"));
  }

  private Row attention(int n, boolean gradient) {
    Task task = new Task.Attention(n, model.heads(), model.kvHeads(), model.headDim(), gradient);
    List<Goal> goals = gradient ? List.of(new Goal.TimeShare(Goal.PEER, 0.6)) : List.of();
    return new Row("attention forward%s %d tokens, %d/%d heads × %d".formatted(gradient ? " + backward" : "", n,
        model.heads(), model.kvHeads(), model.headDim()), Roof.MULTIPLY_ADD, goals, bench -> {
          ProgramRun run = attention(bench, n, gradient);
          return Setup.of(run).comparedWith(task, run);
        });
  }

  private ProgramRun attention(Workbench bench, int n, boolean gradient) {
    TensorType q = bench.stored(n, model.queryWidth());
    TensorType kv = bench.stored(n, model.kvWidth());
    Program.Builder program = new Program.Builder("attention");
    GraphBuilder graph = program.graph();
    List<Value> inputs = List.of(program.state("q", q), program.state("k", kv), program.state("v", kv),
        program.feed("start", TensorType.i32(n)));
    List<Value> outputs = graph.applyAll(new CausalAttention(model.heads(), model.kvHeads(), model.headDim()), inputs);
    program.write("out", outputs.getFirst());
    List<String> results = new ArrayList<>(List.of("out"));
    if (gradient) {
      List<Value> arguments = new ArrayList<>(inputs);
      arguments.addAll(outputs);
      arguments.add(program.state("dout", q));
      List<Value> gradients = graph.applyAll(
          new CausalAttentionGradient(model.heads(), model.kvHeads(), model.headDim()), arguments);
      List<String> names = List.of("dq", "dk", "dv");
      for (int i = 0; i < names.size(); i++) {
        program.write(names.get(i), gradients.get(i));
      }
      results.addAll(names);
    }
    return bench.run(program.build(), Map.of("start", Tensor.of(TensorType.i32(n), new int[n])), results);
  }

  private Row head() {
    int vocab = sizes.headVocab();
    return new Row("head + cross-entropy forward + backward %d tokens, vocabulary %d".formatted(tokens, vocab),
        Roof.MULTIPLY_ADD, List.of(new Goal.TimeShare(Goal.PEER, 0.8)), bench -> {
          ProgramRun run = head(bench);
          return Setup.of(run).comparedWith(new Task.Head(tokens, model.hiddenSize(), vocab), run);
        });
  }

  ProgramRun head(Workbench bench) {
    int vocab = sizes.headVocab();
    Program.Builder program = new Program.Builder("head");
    Value x = program.state("x", TensorType.f32(tokens, model.hiddenSize()));
    Value w = program.state("w", new TensorType(DType.BF16, Shape.of(vocab, model.hiddenSize())));
    Value labels = program.feed("labels", TensorType.i32(tokens));
    List<Value> outputs = program.graph().applyAll(new LinearCrossEntropy(true, false), List.of(x, w, labels));
    program.write("loss", outputs.get(0)).write("dx", outputs.get(2));
    return bench.run(program.build(), Map.of("labels", Workbench.ids(tokens, vocab)), List.of("loss", "dx"));
  }

  private List<Row> elementwise() {
    TensorType x = TensorType.f32(tokens, model.hiddenSize());
    TensorType norm = TensorType.f32(model.hiddenSize());
    float epsilon = (float) model.rmsNormEps();
    return List.of(
        streaming("RMSNorm", model.hiddenSize(), bench -> applied(bench, new RmsNorm(epsilon, bench.activations()),
            List.of("x", "norm"), List.of(x, norm), List.of("y"))),
        streaming("RMSNorm gradient", model.hiddenSize(), bench -> applied(bench, new RmsNormGradient(epsilon),
            List.of("x", "norm", "dy"), List.of(x, norm, bench.stored(tokens, model.hiddenSize())), List.of("dx"))),
        rope(),
        streaming("SwiGLU", model.intermediateSize(), bench -> applied(bench, new SwiGlu(), List.of("gate", "up"),
            Collections.nCopies(2, bench.stored(tokens, model.intermediateSize())), List.of("y"))),
        streaming("SwiGLU gradient", model.intermediateSize(), bench -> applied(bench, new SwiGluGradient(),
            List.of("gate", "up", "dy"), Collections.nCopies(3, bench.stored(tokens, model.intermediateSize())),
            List.of("dgate", "dup"))));
  }

  private Row streaming(String name, int width, Function<Workbench, ProgramRun> run) {
    return new Row("%s %d × %d".formatted(name, tokens, width), Roof.READ, List.of(new Goal.OfRoof(0.6)),
        bench -> Setup.of(run.apply(bench)));
  }

  private Row rope() {
    return new Row("RoPE %d × %d".formatted(tokens, model.queryWidth()), Roof.READ, List.of(new Goal.OfRoof(0.6)),
        bench -> {
          TensorType table = TensorType.f32(tokens, model.headDim() / 2);
          Program.Builder program = new Program.Builder("rope");
          Value y = program.graph().apply(new Rope(model.headDim(), false),
              program.state("x", bench.stored(tokens, model.queryWidth())),
              program.feed("positions", TensorType.i32(tokens)), program.state("cos", table),
              program.state("sin", table));
          program.write("y", y);
          return Setup.of(bench.run(program.build(), Map.of("positions", Workbench.ids(tokens, tokens)), List.of()));
        });
  }

  /** On all adapters of one projection. */
  private Row adamW() {
    int layers = model.layers();
    int width = LORA_RANK * model.hiddenSize();
    return new Row("8-bit AdamW %d × %d".formatted(layers, width), Roof.READ, List.of(new Goal.OfRoof(0.6)), bench -> {
      AdamW8bit op = new AdamW8bit(layers, 0.9, 0.999, 1e-8);
      TensorType p = TensorType.f32(layers, width);
      TensorType codes = TensorType.u8(layers, width);
      Program.Builder program = new Program.Builder("optimizer");
      List<String> names = List.of("p", "first.codes", "first.absmax", "second.codes", "second.absmax");
      List<TensorType> types = List.of(p, codes, op.absmaxType(p), codes, op.absmaxType(p));
      List<Value> arguments = new ArrayList<>();
      for (int i = 0; i < names.size(); i++) {
        arguments.add(program.state(names.get(i), types.get(i)));
      }
      arguments.add(1, program.state("gradient", p));
      arguments.add(program.feed("rates", TensorType.f32(3)));
      arguments.add(program.feed("scale", TensorType.f32()));
      List<Value> updated = program.graph().applyAll(op, arguments);
      for (int i = 0; i < names.size(); i++) {
        program.write(names.get(i), updated.get(i));
      }
      return Setup.of(bench.run(program.build(), Map.of("rates",
          Tensor.of(TensorType.f32(3), -1e-4f, 0.9f, 0.999f), "scale", Tensor.scalar(1f)), List.of()));
    });
  }

  /** An op with all its inputs and outputs in states. */
  private static ProgramRun applied(Workbench bench, Op op, List<String> names, List<TensorType> types,
      List<String> results) {
    Program.Builder program = new Program.Builder(op.name());
    List<Value> arguments = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      arguments.add(program.state(names.get(i), types.get(i)));
    }
    List<Value> values = program.graph().applyAll(op, arguments);
    for (int i = 0; i < results.size(); i++) {
      program.write(results.get(i), values.get(i));
    }
    return bench.run(program.build(), Map.of(), results);
  }
}
