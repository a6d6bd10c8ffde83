package dev.jqlora.training.train;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.tensor.BlockwiseAdamW;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.EmbeddingTable;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.training.config.OptimizerArguments;
import dev.jqlora.training.data.MicroBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The numeric side of training: gradients of a micro-batch, their norm, an update. Holds no policy; the {@link Trainer}
 * decides what happens when.
 */
final class TrainingEngine {
  private final Session session;
  private final ModelLayout layout;
  private final EmbeddingTable embeddings;
  private final List<Trainable> trainables;
  private final TrainPrograms programs;
  private final DType activations;
  private final OptimizerArguments optimizer;
  private final double loraPlusRatio;
  private final Map<Integer, Executable> steps = new HashMap<>();
  private final Map<Integer, Executable> evaluations = new HashMap<>();
  private @Nullable Executable gradientNorm;
  private @Nullable Executable optimizerStep;

  /** Allocates gradients and optimizer states, all zero, in a session that holds the model and its adapters. */
  TrainingEngine(Session session, ModelLayout layout, EmbeddingTable embeddings, List<Trainable> trainables,
      SavePolicy save, DType activations, OptimizerArguments optimizer, double loraPlusRatio) {
    this.session = session;
    this.layout = layout;
    this.embeddings = embeddings;
    this.trainables = trainables;
    this.programs = new TrainPrograms(layout, trainables, save, activations);
    this.activations = activations;
    this.optimizer = optimizer;
    this.loraPlusRatio = loraPlusRatio;
    trainables.forEach(trainable -> trainable.allocate(session, optimizer.type()));
  }

  /** Compiles the largest programs of a run, so that all memory is asked for before it begins. */
  void prepare(RunShape run) {
    if (!run.train().isNone()) {
      step(Bucket.of(run.train().total()));
      normProgram();
      updateProgram();
    }
    if (!run.evaluation().isNone()) {
      evaluation(Bucket.of(run.evaluation().total()), run.predictions());
    }
  }

  private Executable step(int n) {
    return steps.computeIfAbsent(n, tokens -> session.compile(programs.step(tokens)));
  }

  private Executable evaluation(int n, boolean predictions) {
    return evaluations.computeIfAbsent(n,
        tokens -> session.compile(TrainPrograms.evaluation(layout, tokens, predictions, activations)));
  }

  private Executable normProgram() {
    if (gradientNorm == null) {
      gradientNorm = session.compile(programs.gradientNorm());
    }
    return gradientNorm;
  }

  private Executable updateProgram() {
    if (optimizerStep == null) {
      optimizerStep = session.compile(OptimizerProgram.of(trainables, optimizer));
    }
    return optimizerStep;
  }

  /**
   * The gradients of an update, which are kept for {@link #update}.
   *
   * @param nll the sum of all targets' negative log likelihoods
   * @param norm the L2 norm of all gradients
   */
  record Gradients(double nll, double norm) {}

  /**
   * Computes the gradients of an update's mean loss. Feeds of a micro-batch are made while the device is still at work on
   * those before it.
   *
   * @param targets in all the micro-batches
   * @param seeds of the dropout masks, by the micro-batch
   */
  Gradients gradients(List<MicroBatch> batches, long targets, IntUnaryOperator seeds) {
    List<Executable.Begun> begun = new ArrayList<>();
    for (int i = 0; i < batches.size(); i++) {
      begun.add(accumulate(batches.get(i), targets, seeds.applyAsInt(i)));
    }
    double norm = Math.sqrt(fetched(normProgram().run(Map.of()), TrainPrograms.SUM_OF_SQUARES).get(0));
    double nll = 0;
    for (Executable.Begun batch : begun) {
      nll += fetched(batch.fetches(), TrainPrograms.LOSS).get(0);
    }
    return new Gradients(nll, norm);
  }

  /** Begins to add a micro-batch's gradients to those of the update. */
  private Executable.Begun accumulate(MicroBatch batch, long targets, int seed) {
    int n = Bucket.of(batch.length());
    Executable program = step(n);
    Map<String, Tensor> feeds = Bucket.feeds(batch, n, embeddings);
    feeds.put(TrainPrograms.LOSS_SCALE, Tensor.scalar(1f / Math.max(1, targets)));
    if (program.plan().feeds().containsKey(LlamaGraph.SEED)) {
      feeds.put(LlamaGraph.SEED, Tensor.scalar(seed));
    }
    return program.begin(feeds);
  }

  /**
   * What the model makes of a batch.
   *
   * @param nll negative log likelihood of each token's target, 0 where there is none
   * @param predictions the most likely id after each token; empty where it was not asked for
   */
  record Scores(float[] nll, int[] predictions) {}

  Scores evaluate(MicroBatch batch, boolean predictions) {
    int n = Bucket.of(batch.length());
    Executable program = evaluation(n, predictions);
    Map<String, Tensor> results = program.run(Bucket.feeds(batch, n, embeddings));
    float[] nll = Arrays.copyOf(fetched(results, TrainPrograms.NLL).toFloats(), batch.length());
    int[] ids = new int[predictions ? batch.length() : 0];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = (int) fetched(results, TrainPrograms.PREDICTIONS).get(i);
    }
    return new Scores(nll, ids);
  }

  private static Tensor fetched(Map<String, Tensor> results, String name) {
    return Objects.requireNonNull(results.get(name), name);
  }

  /**
   * Updates the parameters and forgets the gradients.
   *
   * @param step 1 for the first update
   * @param clip factor on the gradients
   */
  void update(double learningRate, int step, double clip) {
    Executable program = updateProgram();
    Map<String, Tensor> feeds = new HashMap<>();
    feeds.put(OptimizerProgram.CLIP, Tensor.scalar((float) clip));
    for (Trainable.Group group : Trainable.Group.values()) {
      if (program.plan().feeds().containsKey(group.feed())) {
        feeds.put(group.feed(), Tensor.of(TensorType.f32(3), rates(group, learningRate, step)));
      }
    }
    program.run(feeds);
  }

  private float[] rates(Trainable.Group group, double learningRate, int step) {
    double rate = group == Trainable.Group.LORA_B ? learningRate * loraPlusRatio : learningRate;
    double decay = group == Trainable.Group.NO_DECAY ? 0 : optimizer.weightDecay();
    return BlockwiseAdamW.rates(rate, optimizer.beta1(), optimizer.beta2(), decay, step);
  }

  /** Names of the states that a checkpoint holds besides the parameters. */
  List<String> optimizerStates() {
    return trainables.stream().flatMap(trainable -> trainable.optimizerStates(optimizer.type()).keySet().stream())
        .toList();
  }
}
