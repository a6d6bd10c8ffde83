package dev.jqlora.training.train;

import dev.jqlora.engine.autodiff.Autodiff;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.training.config.ModelArguments;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The programs of training but for {@link OptimizerProgram}, all over the same states: a step that adds a micro-batch's
 * gradients to those of the update, the gradients' norm, and evaluation.
 */
final class TrainPrograms {
  /** The scope of the head and the loss. */
  static final String HEAD = "head";
  /** Feed: the id that each token must predict, I32 {@code [n]}. */
  static final String LABELS = "labels";
  /** Feed: 1 / number of targets in the whole update. */
  static final String LOSS_SCALE = "loss_scale";
  /** Fetch: the sum of the targets' negative log likelihoods. */
  static final String LOSS = "loss";
  /** Fetch: the targets' negative log likelihoods, F32 {@code [n]}, 0 where a token has none. */
  static final String NLL = "nll";
  /** Fetch: the most likely ids, I32 {@code [n]}. */
  static final String PREDICTIONS = "predictions";
  /** Fetch: the sum of the squares of all gradients. */
  static final String SUM_OF_SQUARES = "sum_of_squares";

  private final ModelLayout layout;
  private final List<Trainable> trainables;
  private final SavePolicy save;
  private final DType activations;

  /** @param activations what the layers store theirs as */
  TrainPrograms(ModelLayout layout, List<Trainable> trainables, SavePolicy save, DType activations) {
    this.layout = layout;
    this.trainables = trainables;
    this.save = save;
    this.activations = activations;
  }

  /** What the backward pass finds saved, by a run's configuration. */
  static SavePolicy saved(ModelArguments model) {
    if (!model.gradientCheckpointing()) {
      return SavePolicy.EVERYTHING;
    }
    return model.roundedCarries() ? SavePolicy.ROUNDED : SavePolicy.NOTHING;
  }

  /**
   * What the layers store their activations as, by a run's configuration.
   *
   * @param products what the backend rounds the factors of matrix products to
   */
  static DType activations(ModelArguments model, DType products) {
    return switch (model.activations()) {
      case FLOAT32 -> DType.F32;
      case BFLOAT16 -> DType.BF16;
      case AS_PRODUCTS -> products;
    };
  }

  /** Forward and backward over n tokens; the gradients of {@code loss · loss_scale} are added to their states. */
  Program step(int n) {
    Program.Builder program = new Program.Builder("train_step");
    GraphBuilder graph = program.graph();
    LlamaGraph llama = new LlamaGraph(layout, program);
    Value hidden = llama.hidden(n, true, save, activations);
    Value labels = program.feed(LABELS, TensorType.i32(n));
    boolean trainsHead = trainables.stream().anyMatch(trainable -> layout.headStates().contains(trainable.state()));
    Value loss = graph.scope(HEAD, () -> llama.crossEntropy(hidden, labels, true, trainsHead).getFirst());
    Value scaled = graph.apply(new Multiply(), loss, program.feed(LOSS_SCALE, TensorType.f32()));

    List<Value> wanted = new ArrayList<>();
    Map<Value, Value> accumulated = new LinkedHashMap<>();
    for (Trainable trainable : trainables) {
      Value parameter = llama.state(trainable.state());
      wanted.add(parameter);
      accumulated.put(parameter, program.state(trainable.gradient(), trainable.type()));
    }
    List<Value> gradients = Autodiff.gradients(graph, scaled, wanted, accumulated);
    for (int i = 0; i < gradients.size(); i++) {
      program.write(trainables.get(i).gradient(), gradients.get(i));
    }
    return program.fetch(LOSS, loss).build();
  }

  /** The loss of each of n tokens and, where asked for, the id that the model holds most likely after it. */
  static Program evaluation(ModelLayout layout, int n, boolean predictions, DType activations) {
    Program.Builder program = new Program.Builder("evaluation");
    LlamaGraph llama = new LlamaGraph(layout, program);
    Value hidden = llama.hidden(n, false, SavePolicy.NOTHING, activations);
    Value labels = program.feed(LABELS, TensorType.i32(n));
    List<Value> outputs = program.graph().scope(HEAD, () -> llama.crossEntropy(hidden, labels, false, false));
    if (predictions) {
      program.fetch(PREDICTIONS, program.graph().scope(HEAD, () -> llama.likeliest(hidden)));
    }
    return program.fetch(NLL, outputs.get(1)).build();
  }

  Program gradientNorm() {
    Program.Builder program = new Program.Builder("gradient_norm");
    GraphBuilder graph = program.graph();
    Value sum = trainables.stream()
        .map(trainable -> graph.apply(new SumOfSquares(), program.state(trainable.gradient(), trainable.type())))
        .reduce((left, right) -> graph.apply(new Add(), left, right)).orElseThrow();
    return program.fetch(SUM_OF_SQUARES, sum).build();
  }
}
