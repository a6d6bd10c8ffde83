package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The output head and its loss in one op, so that a kernel can go through blocks of rows and never hold all logits:
 * {@code logits = x · wᵀ}, {@code nll[i] = ln Σ exp(logits[i]) - logits[i][labels[i]]}, 0 where the label is
 * negative, as {@value #IGNORED} is; {@code loss = Σ nll}. With {@code inputGradient} and {@code weightGradient} it
 * also gives the loss's gradients by x and w from the same logits, which is cheaper than computing them again later.
 *
 * <p>Inputs: x F32 {@code [n, width]}, w F32, BF16 or F16 {@code [vocab, width]}, labels I32 {@code [n]}: any
 * negative label is ignored; others must be below vocab: a backend refuses one that is not, or where its device cannot, gives
 * NaN for that row's nll, and so for the loss. Outputs: loss F32 scalar, nll F32 {@code [n]}, then dx like x
 * and dw F32 like w where asked for.
 */
public record LinearCrossEntropy(boolean inputGradient, boolean weightGradient) implements Composite, Differentiable {
  /** The label of a row that has no target. */
  public static final int IGNORED = -100;

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 3);
    ShapeException.matrix(name(), "x", inputs.get(0), DType.F32);
    ShapeException.matrix(name(), "w", inputs.get(1), DType.F32, DType.BF16, DType.F16);
    ShapeException.shape(name(), "w", inputs.get(1),
        Shape.of(inputs.get(1).shape().dim(0), inputs.get(0).shape().last()));
    ShapeException.dtype(name(), "labels", inputs.get(2), DType.I32);
    ShapeException.shape(name(), "labels", inputs.get(2), Shape.of(inputs.get(0).shape().dim(0)));
    List<TensorType> outputs = new ArrayList<>();
    outputs.add(TensorType.f32());
    outputs.add(TensorType.f32(inputs.get(0).shape().dim(0)));
    if (inputGradient) {
      outputs.add(inputs.get(0));
    }
    if (weightGradient) {
      outputs.add(new TensorType(DType.F32, inputs.get(1).shape()));
    }
    return outputs;
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value x = inputs.get(0);
    Value w = inputs.get(1);
    int n = x.type().shape().dim(0);
    int vocab = w.type().shape().dim(0);
    Value labels = builder.apply(new Reshape(Shape.of(n, 1)), inputs.get(2));
    Value ids = builder.apply(new Iota(vocab));
    Value oneHot = builder.apply(new Multiply(), builder.apply(new AtMost(), labels, ids),
        builder.apply(new AtMost(), ids, labels));
    Value counted = builder.apply(new AtMost(), builder.apply(new Fill(TensorType.i32(1), 0)), labels);

    Value logits = builder.apply(MatMul.NT, x, w);
    Value max = builder.apply(new MaxLast(), logits);
    Value shifted = builder.apply(new Add(), logits, builder.apply(new Scale(-1), max));
    Value exp = builder.apply(new Exp(), shifted);
    Value sum = builder.apply(new SumTo(Shape.of(n, 1)), exp);
    Value target = builder.apply(new SumTo(Shape.of(n, 1)), builder.apply(new Multiply(), shifted, oneHot));
    Value difference = builder.apply(new Add(), builder.apply(new Log(), sum), builder.apply(new Scale(-1), target));
    Value nll = builder.apply(new Reshape(Shape.of(n)),
        builder.apply(new Add(), builder.apply(new Multiply(), difference, counted),
            nanBeyond(builder, labels, vocab)));

    List<Value> outputs = new ArrayList<>();
    outputs.add(builder.apply(new SumTo(Shape.SCALAR), nll));
    outputs.add(nll);
    if (inputGradient || weightGradient) {
      Value p = builder.apply(new Multiply(), exp, builder.apply(new Reciprocal(), sum));
      Value error = builder.apply(new Add(), p, builder.apply(new Scale(-1), oneHot));
      Value dlogits = builder.apply(new Multiply(), error, counted);
      if (inputGradient) {
        outputs.add(builder.apply(MatMul.NN, dlogits, w));
      }
      if (weightGradient) {
        outputs.add(builder.apply(MatMul.TN, dlogits, x));
      }
    }
    return outputs;
  }

  /** 0 where a label is within the vocabulary, else NaN: the logarithm of 1 or -1. */
  private static Value nanBeyond(GraphBuilder builder, Value labels, int vocab) {
    Value beyond = builder.apply(new AtMost(), builder.apply(new Fill(TensorType.i32(1), vocab)), labels);
    Value one = builder.apply(new Fill(TensorType.f32(1), 1));
    return builder.apply(new Log(), builder.apply(new Add(), builder.apply(new Scale(-2), beyond), one));
  }

  @Override
  public void check(List<Array64> inputs) {
    int vocab = inputs.get(1).shape().dim(0);
    for (double label : inputs.get(2).data()) {
      checkLabel((int) label, vocab);
    }
  }

  /** Throws IllegalArgumentException where a label is beyond the vocabulary. */
  public static void checkLabel(int label, int vocab) {
    if (label >= vocab) {
      throw new IllegalArgumentException("label %d is not among the %d ids".formatted(label, vocab));
    }
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    Value dx = gradient.needs(0) ? scaled(gradient, inputGradient, 2) : null;
    Value dw = gradient.needs(1) ? scaled(gradient, weightGradient, inputGradient ? 3 : 2) : null;
    return Arrays.asList(dx, dw, null);
  }

  /** The gradient that an output holds, times that of the loss. */
  static Value scaled(Gradient gradient, boolean there, int output) {
    String name = gradient.node().op().name();
    if (gradient.outputGradients().stream().skip(1).anyMatch(Objects::nonNull)) {
      throw new IllegalStateException(name + ": differentiate by the loss, not by its other outputs");
    }
    if (!there) {
      throw new IllegalStateException(name + ": a gradient is wanted that the op was not asked to give");
    }
    return gradient.builder().apply(new Multiply(), gradient.output(output), gradient.of(0));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double products = 2.0 * inputs.getFirst().elements() * inputs.get(1).shape().dim(0);
    return Cost.of(products * outputs.size() - products, inputs, outputs);
  }
}
