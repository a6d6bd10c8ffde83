package dev.jqlora.training.data;

import dev.jqlora.llama.tokenizer.Tokenizer;
import dev.jqlora.training.config.DataArguments;
import dev.jqlora.training.data.DataRow.Conversation;
import dev.jqlora.training.data.Template.EncodedTurn;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Stage sft: conversations whose answers are learned. A sequence has at most {@code cutoff_len} tokens: turns are taken
 * while there is room, and the last one is cut by {@link #keptLengths}.
 */
final class SupervisedProcessor {
  private final Tokenizer tokenizer;
  private final DataArguments arguments;
  private final Template template;
  private final String defaultSystem;
  private int dropped;
  private int cut;

  SupervisedProcessor(Tokenizer tokenizer, DataArguments arguments) {
    this.tokenizer = tokenizer;
    this.arguments = arguments;
    this.template = Template.named(arguments.template());
    String given = arguments.defaultSystem();
    this.defaultSystem = given == null ? template.defaultSystem() : given;
  }

  Encoded process(List<Conversation> rows) {
    var examples = new ArrayList<Example>();
    var group = new ArrayList<Example>();
    for (int i = 0; i < rows.size(); i++) {
      Example example = encode(rows.get(i));
      if (example == null) {
        dropped++;
      } else {
        group.add(example);
      }
      if ((i + 1) % arguments.preprocessingBatchSize() == 0 || i + 1 == rows.size()) {
        examples.addAll(arguments.packing()
            ? Packing.pack(group, arguments.cutoffLen(), arguments.neatPacking())
            : group);
        group.clear();
      }
    }
    return new Encoded(examples, notices());
  }

  /** The sequence of a conversation, or null where a turn lacks its answer or nothing of it is left. */
  private @Nullable Example encode(Conversation row) {
    if (!row.isAnswered()) {
      return null;
    }
    String system = row.system().isEmpty() ? defaultSystem : row.system();
    List<EncodedTurn> turns = template.encode(tokenizer, row.turns(), system);
    var sequence = new Sequence();
    boolean lastFirst = arguments.maskHistory();
    for (EncodedTurn turn : lastFirst ? turns.reversed() : turns) {
      int room = arguments.cutoffLen() - sequence.length;
      if (room <= 0) {
        sequence.wasCut = true;
        break;
      }
      sequence.add(turn, room, arguments.trainOnPrompt(), !lastFirst || sequence.parts.isEmpty());
    }
    if (sequence.wasCut) {
      cut++;
    }
    return sequence.length == 0 ? null : sequence.join(lastFirst);
  }

  /**
   * How much of a turn is kept in {@code room} tokens. A short answer is kept whole and the source is cut at its end; a
   * short source is kept whole and the answer is cut; else both are cut in proportion.
   *
   * @return the lengths of source and target
   */
  static int[] keptLengths(int source, int target, int room) {
    int targetLimit;
    if (target * 2L < room) {
      targetLimit = room;
    } else if (source * 2L < room) {
      targetLimit = room - source;
    } else {
      targetLimit = (int) (room * ((double) target / (source + target)));
    }
    int keptTarget = Math.min(targetLimit, target);
    return new int[]{Math.min(Math.max(room - keptTarget, 0), source), keptTarget};
  }

  private List<String> notices() {
    var notices = new ArrayList<String>();
    if (dropped > 0) {
      notices.add(dropped + " rows were dropped: roles that do not alternate, or a turn without an answer");
    }
    if (cut > 0) {
      notices.add(cut + " rows are longer than cutoff_len " + arguments.cutoffLen()
          + " and were cut; a long question loses its end");
    }
    return notices;
  }

  /** The turns taken so far. */
  private static final class Sequence {
    private final List<Example> parts = new ArrayList<>();
    private int length;
    private boolean wasCut;

    void add(EncodedTurn turn, int room, boolean learnSource, boolean learnTarget) {
      int[] kept = keptLengths(turn.source().length, turn.target().length, room);
      int total = kept[0] + kept[1];
      wasCut |= total < turn.source().length + turn.target().length;
      if (total == 0) {
        return;
      }
      int[] ids = Arrays.copyOf(turn.source(), total);
      System.arraycopy(turn.target(), 0, ids, kept[0], kept[1]);
      int[] labels = ids.clone();
      if (!learnSource) {
        Arrays.fill(labels, 0, kept[0], Example.IGNORED);
      }
      if (!learnTarget) {
        Arrays.fill(labels, kept[0], total, Example.IGNORED);
      }
      parts.add(new Example(ids, labels));
      length += total;
    }

    Example join(boolean lastFirst) {
      int[] ids = new int[length];
      int[] labels = new int[length];
      int offset = 0;
      for (Example part : lastFirst ? parts.reversed() : parts) {
        System.arraycopy(part.inputIds(), 0, ids, offset, part.length());
        System.arraycopy(part.labels(), 0, labels, offset, part.length());
        offset += part.length();
      }
      return new Example(ids, labels);
    }
  }
}
