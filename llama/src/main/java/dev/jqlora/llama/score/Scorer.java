package dev.jqlora.llama.score;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.llama.inference.LoadedModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Negative log-likelihoods of tokens, natural logarithm. Several sequences go through the model in one run, one behind
 * another without padding between them. For one thread.
 */
public final class Scorer {
  /** Runs are filled up to a multiple of this, so that few programs are compiled. */
  private static final int BUCKET = 64;
  private static final String LABELS = "labels";
  private static final String NLL = "nll";

  private final LoadedModel model;
  private final int tokensPerRun;
  private final Map<Integer, Executable> programs = new HashMap<>();

  /**
   * A sequence and the part of it that is scored.
   *
   * @param ids the tokens, at most the model's positions
   * @param first index of the first scored token, at least 1: what precedes is context only
   */
  public record Sequence(int[] ids, int first) {
    public Sequence {
      if (first < 1 || first > ids.length) {
        throw new IllegalArgumentException("scoring from token %d of %d".formatted(first, ids.length));
      }
    }

    /** Every token that has one before it. */
    public static Sequence whole(int[] ids) {
      return new Sequence(ids, 1);
    }

    public int scored() {
      return ids.length - first;
    }
  }

  /** @param tokensPerRun tokens that go through the model at once; a longer sequence has a run of its own */
  public Scorer(LoadedModel model, int tokensPerRun) {
    this.model = model;
    this.tokensPerRun = tokensPerRun;
  }

  /**
   * For each sequence the negative log-likelihood of each scored token, given the tokens before it.
   *
   * @throws JqloraException of kind MODEL where a token is not in the model's vocabulary, of kind NUMERICS where a
   *     likelihood is NaN
   */
  public List<float[]> negativeLogLikelihoods(List<Sequence> sequences) {
    List<float[]> scores = new ArrayList<>();
    for (int first = 0; first < sequences.size();) {
      int tokens = sequences.get(first).ids().length;
      int end = first + 1;
      while (end < sequences.size() && tokens + sequences.get(end).ids().length <= tokensPerRun) {
        tokens += sequences.get(end++).ids().length;
      }
      scores.addAll(run(sequences.subList(first, end), tokens));
      first = end;
    }
    return scores;
  }

  /** How many sequences of a length share a run. */
  int sequencesPerRun(int tokens) {
    return Math.max(1, tokensPerRun / tokens);
  }

  private List<float[]> run(List<Sequence> sequences, int length) {
    int[] tokens = new int[length];
    int[] positions = new int[length];
    int[] start = new int[length];
    int n = Math.ceilDiv(length, BUCKET) * BUCKET;
    int[] labels = new int[n];
    Arrays.fill(labels, LinearCrossEntropy.IGNORED);
    int at = 0;
    for (Sequence sequence : sequences) {
      int[] ids = sequence.ids();
      model.check(ids);
      System.arraycopy(ids, 0, tokens, at, ids.length);
      Arrays.fill(start, at, at + ids.length, at);
      for (int i = 0; i < ids.length; i++) {
        positions[at + i] = i;
      }
      // A row's label is the token after it.
      System.arraycopy(ids, sequence.first(), labels, at + sequence.first() - 1, sequence.scored());
      at += ids.length;
    }
    Map<String, Tensor> feeds = model.embeddings().feeds(tokens, positions, start, n);
    feeds.put(LABELS, Tensor.of(TensorType.i32(n), labels));
    Tensor nll = Objects.requireNonNull(programs.computeIfAbsent(n, this::compile).run(feeds).get(NLL));
    return split(sequences, nll);
  }

  private static List<float[]> split(List<Sequence> sequences, Tensor nll) {
    List<float[]> scores = new ArrayList<>();
    int at = 0;
    for (Sequence sequence : sequences) {
      float[] values = new float[sequence.scored()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) nll.get(at + sequence.first() - 1 + i);
        if (Float.isNaN(values[i])) {
          throw new JqloraException(Kind.NUMERICS,
              "the likelihood of token %d of a text is NaN; the model's weights or its adapter's are damaged, or the training diverged"
                  .formatted(sequence.first() + i));
        }
      }
      scores.add(values);
      at += sequence.ids().length;
    }
    return scores;
  }

  private Executable compile(int n) {
    Program.Builder program = new Program.Builder("score " + n);
    LlamaGraph llama = new LlamaGraph(model.layout(), program);
    Value hidden = llama.hidden(n, false, SavePolicy.NOTHING, DType.F32);
    Value labels = program.feed(LABELS, TensorType.i32(n));
    program.fetch(NLL, llama.crossEntropy(hidden, labels, false, false).get(1));
    return model.session().compile(program.build());
  }
}
