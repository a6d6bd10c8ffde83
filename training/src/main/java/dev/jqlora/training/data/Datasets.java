package dev.jqlora.training.data;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.random.MersenneTwister;
import dev.jqlora.llama.tokenizer.Tokenizer;
import dev.jqlora.training.config.DataArguments;
import dev.jqlora.training.config.Stage;
import dev.jqlora.training.data.DataRow.Conversation;
import dev.jqlora.training.data.DataRow.Tokenized;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a configuration trains and evaluates on, as token sequences.
 *
 * @param train in file order; empty where no dataset is named
 * @param evaluation sequences by the name that their metrics get; empty without evaluation data
 * @param notices what was dropped or cut, one line each; the caller prints them
 */
public record Datasets(List<Example> train, Map<String, List<Example>> evaluation, List<String> notices) {
  /** The name of evaluation data where there is one set of it. */
  public static final String EVAL = "eval";

  /**
   * Reads, mixes, splits and encodes the datasets of a configuration.
   *
   * @param seed of the draws: {@code num_samples}, shares of a mix, {@code val_size}
   * @throws JqloraException {@code DATA} with file and line, {@code IO}, or {@code CONFIG} for a template
   */
  public static Datasets load(DataArguments arguments, Stage stage, long seed, Tokenizer tokenizer) {
    return new Loader(arguments, stage, seed, tokenizer).load();
  }

  /** The work of {@link #load}. */
  private static final class Loader {
    private final DataArguments arguments;
    private final Stage stage;
    private final long seed;
    private final Tokenizer tokenizer;
    private final DatasetInfo info;
    private final List<String> notices = new ArrayList<>();

    Loader(DataArguments arguments, Stage stage, long seed, Tokenizer tokenizer) {
      this.arguments = arguments;
      this.stage = stage;
      this.seed = seed;
      this.tokenizer = tokenizer;
      this.info = DatasetInfo.read(arguments.datasetDir());
    }

    Datasets load() {
      List<DataRow> trainRows = mixed(arguments.dataset());
      var evaluation = new LinkedHashMap<String, List<Example>>();
      if (arguments.valSize() > 0) {
        List<DataRow> all = trainRows;
        int[] order = MersenneTwister.permutation(all.size(), seed);
        int held = heldOut(all.size());
        evaluation.put(EVAL, encode(EVAL, select(all, Arrays.copyOf(order, held))));
        trainRows = select(all, Arrays.copyOfRange(order, held, order.length));
      } else if (arguments.evalOnEachDataset()) {
        for (String name : arguments.evalDataset()) {
          evaluation.put(name, encode(name, mixed(List.of(name))));
        }
      } else if (!arguments.evalDataset().isEmpty()) {
        evaluation.put(EVAL, encode(EVAL, mixed(arguments.evalDataset())));
      }
      List<Example> train = trainRows.isEmpty() ? List.of() : encode("train", trainRows);
      return new Datasets(train, evaluation, List.copyOf(notices));
    }

    private int heldOut(int rows) {
      double size = arguments.valSize();
      int held = (int) Math.min(Integer.MAX_VALUE, size < 1 ? Math.ceil(size * rows) : size);
      if (held >= rows) {
        throw new JqloraException(Kind.CONFIG,
            "val_size: " + size + " of " + rows + " rows leaves none to train on; expected less");
      }
      return held;
    }

    private List<DataRow> mixed(List<String> names) {
      List<List<DataRow>> datasets = names.stream().map(this::rows).toList();
      return datasets.isEmpty()
          ? List.of()
          : Mixer.mix(datasets, arguments.mixStrategy(), sharesOf(datasets.size()), seed);
    }

    /** The shares belong to the training datasets; evaluation datasets of another number take strict turns. */
    private List<Double> sharesOf(int datasets) {
      return arguments.interleaveProbs().size() == datasets ? arguments.interleaveProbs() : List.of();
    }

    private List<DataRow> rows(String name) {
      DatasetEntry entry = info.entry(name);
      var converter = new RowConverter(entry, stage, tokenizer.vocabSize());
      Integer maxSamples = arguments.maxSamples();
      boolean drawn = entry.numSamples() != null;
      int limit = maxSamples == null || drawn ? Integer.MAX_VALUE : maxSamples;
      var rows = new ArrayList<DataRow>();
      for (var file : entry.files()) {
        try (RowReader reader = RowReader.open(file)) {
          for (Row row = rows.size() < limit ? reader.next() : null; row != null; row = rows.size() < limit
              ? reader.next()
              : null) {
            rows.add(converter.convert(row));
          }
        }
      }
      if (rows.isEmpty()) {
        throw converter.noRows();
      }
      Integer numSamples = entry.numSamples();
      List<DataRow> selected = numSamples == null ? rows : draw(rows, numSamples);
      return maxSamples == null ? selected : selected.subList(0, Math.min(maxSamples, selected.size()));
    }

    /** A random choice of so many rows; beyond their number, with repetition. */
    private List<DataRow> draw(List<DataRow> rows, int count) {
      int[] order = MersenneTwister.permutation(rows.size(), seed);
      int[] chosen = Arrays.copyOf(order, count);
      var random = new MersenneTwister(seed + 1);
      for (int i = order.length; i < count; i++) {
        chosen[i] = random.nextBelow(order.length);
      }
      return select(rows, chosen);
    }

    private static List<DataRow> select(List<DataRow> rows, int[] indices) {
      return Arrays.stream(indices).mapToObj(rows::get).toList();
    }

    private List<Example> encode(String name, List<DataRow> rows) {
      long tokenized = rows.stream().filter(Tokenized.class::isInstance).count();
      if (tokenized > 0 && tokenized < rows.size()) {
        throw new JqloraException(Kind.CONFIG,
            name + ": datasets of text and of tokens cannot be mixed; expected one sort");
      }
      Encoded encoded = tokenized > 0 ? passThrough(rows) : encodeText(rows);
      encoded.notices().forEach(notice -> notices.add(name + ": " + notice));
      List<Example> learnable = encoded.examples().stream().filter(example -> example.targets() > 0).toList();
      int without = encoded.examples().size() - learnable.size();
      if (without > 0) {
        notices.add(name + ": " + without + " sequences without a learned token were dropped");
      }
      if (learnable.isEmpty()) {
        throw new JqloraException(Kind.DATA, name + ": " + rows.size() + " rows give no sequence to learn from"
            + (stage == Stage.PT && arguments.packing()
                ? ": together they are shorter than one block; lower cutoff_len " + arguments.cutoffLen()
                : "; check columns, template and cutoff_len"));
      }
      return learnable;
    }

    private Encoded encodeText(List<DataRow> rows) {
      List<Conversation> conversations = rows.stream().map(Conversation.class::cast).toList();
      Encoded encoded = switch (stage) {
        case PT -> new PretrainProcessor(tokenizer, arguments).process(conversations);
        case SFT -> new SupervisedProcessor(tokenizer, arguments).process(conversations);
      };
      if (stage == Stage.SFT && arguments.template() == null) {
        var all = new ArrayList<>(encoded.notices());
        all.add("no template is given: prompts and answers are joined as they are, without end tokens "
            + "(template: llama3, alpaca or default)");
        return new Encoded(encoded.examples(), all);
      }
      return encoded;
    }

    /** Tokenized rows are never packed, only cut. */
    private Encoded passThrough(List<DataRow> rows) {
      int limit = arguments.cutoffLen();
      int cut = 0;
      var examples = new ArrayList<Example>();
      for (DataRow row : rows) {
        var tokens = (Tokenized) row;
        int length = Math.min(limit, tokens.inputIds().length);
        cut += length < tokens.inputIds().length ? 1 : 0;
        examples.add(new Example(Arrays.copyOf(tokens.inputIds(), length), Arrays.copyOf(tokens.labels(), length)));
      }
      return new Encoded(examples,
          cut == 0 ? List.of() : List.of(cut + " rows longer than cutoff_len " + limit + " were cut"));
    }
  }
}
