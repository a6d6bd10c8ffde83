package dev.jqlora.llama.generate;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Embedding;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.inference.LoadedModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Continues token sequences. Keys and values of the tokens so far stay in a cache in the model's session, so a new token
 * costs one pass over the weights, and a prompt that begins like the last sequence costs only what is new. For one
 * thread; one generator a session.
 */
public final class Generator {
  /** Numbers of tokens that there are programs for: a prompt is fed in such pieces, a new token alone. */
  private static final int[] CHUNKS = {1, 4, 16, 64, 256, 512};
  /** A run of many tokens costs as much as so many more of them: every weight is read and decoded for it. */
  private static final int RUN_COST = 128;
  private static final String ROW = "row";
  private static final String LOGITS = "logits";

  private final LoadedModel model;
  private final int capacity;
  private final Map<Integer, Executable> programs = new HashMap<>();
  /** Those that only fill the cache, for the pieces of a prompt before the last. */
  private final Map<Integer, Executable> filling = new HashMap<>();
  /** The tokens whose keys and values are in the cache. */
  private int[] cached = new int[0];

  /**
   * What to generate.
   *
   * @param stopIds tokens that end the text
   */
  public record Options(Sampling sampling, int maxNewTokens, Set<Integer> stopIds) {
    public Options {
      stopIds = Set.copyOf(stopIds);
    }
  }

  /** @param capacity tokens of the longest sequence, prompt and new ones together; at most the model's positions */
  public Generator(LoadedModel model, int capacity) {
    if (capacity < 1 || capacity > model.layout().positions()) {
      throw new IllegalArgumentException("a cache of %d tokens in a model loaded for %d".formatted(capacity, model
          .layout().positions()));
    }
    this.model = model;
    this.capacity = capacity;
    LlamaGraph.cacheStates(model.config(), capacity).forEach(model.session()::allocate);
  }

  /**
   * How many new tokens a prompt leaves room for.
   *
   * @param wanted new tokens; 0 for as many as there is room for
   * @param context tokens that a sequence may have
   * @throws JqloraException of kind DATA where there is not the room
   */
  public static int room(int promptTokens, int wanted, int context) {
    int room = context - promptTokens;
    if (room < Math.max(1, wanted)) {
      throw new JqloraException(Kind.DATA,
          "the prompt takes %,d tokens and %,d more are wanted, but the context holds %,d; shorten the prompt or lower max_new_tokens"
              .formatted(promptTokens, Math.max(1, wanted), context));
    }
    return wanted == 0 ? room : wanted;
  }

  /**
   * Continues a prompt.
   *
   * @throws JqloraException of kind DATA where prompt and new tokens exceed the capacity, of kind NUMERICS where the
   *     logits hold NaN or Inf
   */
  public Generation generate(int[] prompt, Options options, TokenListener listener) {
    if (prompt.length == 0) {
      throw new JqloraException(Kind.DATA, "the prompt has no tokens; give at least one word");
    }
    model.check(prompt);
    int room = room(prompt.length, options.maxNewTokens(), capacity);
    int reused = Math.min(commonPrefix(prompt), prompt.length - 1);
    Sampler sampler = new Sampler(options.sampling());
    BitSet seen = new BitSet();
    Arrays.stream(prompt).forEach(seen::set);
    List<Integer> ids = new ArrayList<>();
    float[] logits = feed(Arrays.copyOfRange(prompt, reused, prompt.length), reused);
    while (true) {
      int id = sampler.next(logits, seen);
      if (options.stopIds().contains(id)) {
        return new Generation(ids, Generation.End.STOP, reused);
      }
      ids.add(id);
      seen.set(id);
      if (!listener.token(id)) {
        return new Generation(ids, Generation.End.CANCELLED, reused);
      }
      if (ids.size() == room) {
        return new Generation(ids, Generation.End.LENGTH, reused);
      }
      logits = feed(new int[]{id}, cached.length);
    }
  }

  private int commonPrefix(int[] prompt) {
    int mismatch = Arrays.mismatch(cached, prompt);
    return mismatch < 0 ? cached.length : mismatch;
  }

  /** The logits after some tokens that stand at a position of the sequence, F32 {@code [vocabulary]}. */
  float[] feed(int[] tokens, int position) {
    float[] logits = new float[0];
    cached = Arrays.copyOf(cached, position);
    for (int done = 0; done < tokens.length;) {
      int at = position + done;
      int size = chunk(tokens.length - done, capacity - at);
      int used = Math.min(size, tokens.length - done);
      int[] piece = Arrays.copyOf(Arrays.copyOfRange(tokens, done, done + used), size);
      done += used;
      if (done < tokens.length) {
        filling.computeIfAbsent(size, n -> model.session().compile(filling(model.layout(), n, capacity)))
            .run(feeds(piece, at));
      } else {
        logits = logits(piece, at, used - 1);
      }
    }
    cached = Arrays.copyOf(cached, position + tokens.length);
    System.arraycopy(tokens, 0, cached, position, tokens.length);
    return logits;
  }

  /**
   * Tokens of the next piece. It may exceed what remains, where that is cheaper than a smaller piece and another run: the
   * rows of the cache behind the sequence are written again before they are read.
   */
  static int chunk(int remaining, int room) {
    int best = 1;
    for (int size : CHUNKS) {
      if (size <= room && (size <= remaining
          || size < 2 * remaining && size - remaining < RUN_COST && best < remaining)) {
        best = size;
      }
    }
    return best;
  }

  private Map<String, Tensor> feeds(int[] tokens, int position) {
    int n = tokens.length;
    int[] positions = new int[n];
    Arrays.setAll(positions, i -> position + i);
    Map<String, Tensor> feeds = new HashMap<>(Map.of(
        LlamaGraph.POSITIONS, Tensor.of(TensorType.i32(n), positions),
        LlamaGraph.CACHE_POSITION, Tensor.scalar(position)));
    model.embeddings().feed(tokens, feeds);
    return feeds;
  }

  private float[] logits(int[] tokens, int position, int row) {
    Map<String, Tensor> feeds = feeds(tokens, position);
    feeds.put(ROW, Tensor.of(TensorType.i32(1), row));
    return Objects.requireNonNull(program(tokens.length).run(feeds).get(LOGITS)).toFloats();
  }

  /** The program that takes n new tokens. */
  Executable program(int n) {
    return programs.computeIfAbsent(n, this::compile);
  }

  private Executable compile(int n) {
    return model.session().compile(program(model.layout(), n, capacity));
  }

  /** The program that takes n new tokens and gives the logits after one of them, with a cache of so many rows. */
  public static Program program(ModelLayout layout, int n, int capacity) {
    Program.Builder program = new Program.Builder("generate " + n);
    LlamaGraph llama = new LlamaGraph(layout, program);
    Value hidden = llama.cachedHidden(n, capacity);
    Value row = program.feed(ROW, TensorType.i32(1));
    Value last = program.graph().apply(new Embedding(), hidden, row);
    return program.fetch(LOGITS, llama.logits(last)).build();
  }

  /** The program that takes n new tokens of a prompt, after which more follow: no logits are wanted yet. */
  private static Program filling(ModelLayout layout, int n, int capacity) {
    Program.Builder program = new Program.Builder("fill " + n);
    new LlamaGraph(layout, program).cachedHidden(n, capacity);
    return program.build();
  }
}
