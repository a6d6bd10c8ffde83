package dev.jqlora.training.data;

import dev.jqlora.llama.tokenizer.Tokenizer;
import dev.jqlora.training.config.DataArguments;
import dev.jqlora.training.data.DataRow.Conversation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Stage pt: plain text in blocks. Each text gets the end token; the rows of a group (1,000 by default) are joined and
 * cut into blocks of {@code cutoff_len}, and what is left of a group is dropped. No beginning-of-text token is added.
 * Without packing each text is a sequence of its own, cut at {@code cutoff_len}. Labels are the ids, but the padding id
 * is not learned: under templates other than llama3 it is the end token.
 */
final class PretrainProcessor {
  private static final String LLAMA3_END = "<|end_of_text|>";

  private final Tokenizer tokenizer;
  private final DataArguments arguments;
  private final OptionalInt padId;
  private final int[] endIds;

  PretrainProcessor(Tokenizer tokenizer, DataArguments arguments) {
    this.tokenizer = tokenizer;
    this.arguments = arguments;
    Template template = Template.named(arguments.template());
    this.padId = template.padId(tokenizer);
    this.endIds = template == Template.LLAMA3 ? tokenizer.encode(LLAMA3_END) : tokenizer.eosId().stream().toArray();
  }

  Encoded process(List<Conversation> rows) {
    var examples = new ArrayList<Example>();
    int empty = 0;
    long leftOver = 0;
    int cut = 0;
    var group = new IdBuffer();
    for (int i = 0; i < rows.size(); i++) {
      int[] ids = ids(rows.get(i));
      if (ids == null) {
        empty++;
      } else if (arguments.packing()) {
        group.add(ids);
      } else {
        cut += ids.length > arguments.cutoffLen() ? 1 : 0;
        addExample(examples, Arrays.copyOf(ids, Math.min(ids.length, arguments.cutoffLen())));
      }
      if ((i + 1) % arguments.preprocessingBatchSize() == 0 || i + 1 == rows.size()) {
        leftOver += addBlocks(examples, group);
        group = new IdBuffer();
      }
    }
    return new Encoded(examples, notices(empty, cut, leftOver));
  }

  /** The ids of a row's first text and its end, or null where it has no text. */
  private int @Nullable [] ids(Conversation row) {
    if (row.turns().isEmpty()) {
      return null;
    }
    int[] text = row.turns().getFirst().isEmpty() ? new int[0] : tokenizer.encode(row.turns().getFirst());
    int[] ids = Arrays.copyOf(text, text.length + endIds.length);
    System.arraycopy(endIds, 0, ids, text.length, endIds.length);
    return ids.length == 0 ? null : ids;
  }

  private long addBlocks(List<Example> examples, IdBuffer group) {
    int block = arguments.cutoffLen();
    int blocks = group.size() / block;
    for (int i = 0; i < blocks; i++) {
      addExample(examples, group.range(i * block, (i + 1) * block));
    }
    return group.size() - (long) blocks * block;
  }

  private void addExample(List<Example> examples, int[] ids) {
    boolean hasPad = padId.isPresent() && Arrays.stream(ids).anyMatch(id -> id == padId.getAsInt());
    int[] labels = hasPad
        ? Arrays.stream(ids).map(id -> id == padId.getAsInt() ? Example.IGNORED : id).toArray()
        : ids;
    examples.add(new Example(ids, labels));
  }

  private List<String> notices(int empty, int cut, long leftOver) {
    var notices = new ArrayList<String>();
    if (empty > 0) {
      notices.add(empty + " rows without text were dropped");
    }
    if (cut > 0) {
      notices.add(cut + " texts longer than cutoff_len " + arguments.cutoffLen() + " were cut");
    }
    if (leftOver > 0) {
      notices.add(leftOver + " tokens after the last full block of a group of "
          + arguments.preprocessingBatchSize() + " rows were dropped");
    }
    return notices;
  }

  /** A growing list of ids. */
  private static final class IdBuffer {
    private int[] ids = new int[1 << 12];
    private int size;

    void add(int[] more) {
      int needed = Math.addExact(size, more.length);
      if (needed > ids.length) {
        ids = Arrays.copyOf(ids, (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(needed, ids.length * 2L)));
      }
      System.arraycopy(more, 0, ids, size, more.length);
      size = needed;
    }

    int size() {
      return size;
    }

    int[] range(int from, int to) {
      return Arrays.copyOfRange(ids, from, to);
    }
  }
}
