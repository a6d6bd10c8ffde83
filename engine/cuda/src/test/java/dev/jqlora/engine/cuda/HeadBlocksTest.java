package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.cuda.CudaKernel.Buffer;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.op.Nf4LinearArgMax;
import dev.jqlora.engine.op.Nf4LinearCrossEntropy;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The head block by block: all cases of its ops, with so little memory for logits that there are several blocks. */
class HeadBlocksTest {
  @ParameterizedTest
  @CsvSource({"FLOAT32, 1", "FLOAT32, 3", "BF16, 1", "BF16, 4"})
  void lossAndGradients(Precision precision, int rows) {
    CaseList cases = cases("LinearCrossEntropy", precision);
    cases.add("several blocks", new LinearCrossEntropy(true, true), Input.f32(10, 40), Input.f32(72, 40),
        Input.labels(72, 10));
    cases.add("a block without labels", new LinearCrossEntropy(true, true), Input.f32(8, 40), Input.f32(72, 40),
        Input.ints(-100, -100, -100, -100, 71, 0, -100, 5));
    for (CaseList.Case sample : cases.cases()) {
      int vocab = sample.types().get(1).shape().dim(0);
      check(cases, sample, new LinearCrossEntropyCuda(block(rows, vocab)), precision);
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, 1", "FLOAT32, 3", "BF16, 1", "BF16, 4"})
  void lossAndGradientOfAnNf4Head(Precision precision, int rows) {
    CaseList cases = cases("Nf4LinearCrossEntropy", precision);
    Nf4Weight weight = new Nf4Weight(72, 64, 64, true);
    List<Input> inputs = new ArrayList<>(List.of(Input.f32(10, 64)));
    inputs.addAll(Input.nf4(weight));
    inputs.add(Input.labels(72, 10));
    cases.add("several blocks", new Nf4LinearCrossEntropy(weight, true), inputs);
    for (CaseList.Case sample : cases.cases()) {
      int vocab = ((Nf4LinearCrossEntropy) sample.op()).weight().out();
      check(cases, sample, new Nf4LinearCrossEntropyCuda(block(rows, vocab)), precision);
    }
  }

  @ParameterizedTest
  @CsvSource({"1", "2", "3"})
  void ids(int rows) {
    CaseList cases = cases("LinearArgMax", Precision.FLOAT32);
    for (CaseList.Case sample : cases.cases()) {
      int vocab = sample.types().get(1).shape().dim(0);
      check(cases, sample, new LinearArgMaxCuda(block(rows, vocab)), Precision.FLOAT32);
    }
    CaseList nf4 = cases("Nf4LinearArgMax", Precision.FLOAT32);
    for (CaseList.Case sample : nf4.cases()) {
      int vocab = ((Nf4LinearArgMax) sample.op()).weight().out();
      check(nf4, sample, new Nf4LinearArgMaxCuda(block(rows, vocab)), Precision.FLOAT32);
    }
  }

  /** Not quite the memory for one row more. */
  private static LogitsBlock block(int rows, int vocab) {
    return new LogitsBlock((rows + 1L) * vocab * Float.BYTES - 1);
  }

  /** As the catalogue has them, by the precision's tolerances. */
  private static CaseList cases(String op, Precision precision) {
    CaseList cases = Objects.requireNonNull(CaseCatalogue.all().get(op));
    return precision == Precision.BF16 ? cases.ofBf16Products() : cases;
  }

  private static <O extends Op> void check(CaseList cases, CaseList.Case sample, CudaKernel<O> kernel,
      Precision precision) {
    GraphBuilder graph = new GraphBuilder();
    List<Value> values = sample.types().stream().map(type -> graph.input(type.toString(), type)).toList();
    List<Array64> expected = new Interpreter().run(graph.build(graph.applyAll(sample.op(), values)),
        sample.make().stream().map(Array64::of).toList());
    List<Tensor> results = run(sample, kernel, precision);
    for (int i = 0; i < results.size(); i++) {
      cases.tolerance(expected.get(i).type().dtype()).check(sample.name() + ", output " + i, expected.get(i),
          Array64.of(results.get(i)));
    }
  }

  /** The kernel alone, in memory that ends where its operands end. */
  private static <O extends Op> List<Tensor> run(CaseList.Case sample, CudaKernel<O> kernel, Precision precision) {
    TestDriver.use();
    O op = kernel.op().cast(sample.op());
    List<Tensor> results = new ArrayList<>();
    List<Buffer> inputs = new ArrayList<>();
    List<Buffer> outputs = new ArrayList<>();
    try (Gpu gpu = new Gpu(0, precision); Staging staging = new Staging(gpu)) {
      for (Tensor tensor : sample.make()) {
        Buffer buffer = new Buffer(tensor.type(), Driver.allocate(tensor.type().bytes(), "input"));
        staging.copyIn(buffer.address(), tensor.data(), "input");
        inputs.add(buffer);
      }
      List<TensorType> types = op.infer(sample.types());
      types.forEach(type -> outputs.add(new Buffer(type, Driver.allocate(type.bytes(), "output"))));
      long bytes = assertInstanceOf(Support.Native.class, kernel.supports(op, sample.types(), types)).scratchBytes();
      long scratch = Driver.allocate(bytes, "scratch");
      kernel.enqueue(op, new CudaKernel.Call(inputs, outputs, scratch, gpu.launcher()));
      for (Buffer output : outputs) {
        Tensor result = Tensor.allocate(Arena.ofAuto(), output.type());
        staging.copyOut(result.data(), output.address(), "output");
        results.add(result);
      }
      inputs.forEach(buffer -> Driver.free(buffer.address()));
      outputs.forEach(buffer -> Driver.free(buffer.address()));
      Driver.free(scratch);
    }
    return results;
  }
}
