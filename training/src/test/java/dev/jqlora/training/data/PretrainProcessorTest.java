package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.training.data.DataRow.Conversation;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PretrainProcessorTest {
  private static final CharacterTokenizer TOKENIZER = CharacterTokenizer.llama3();
  private static final int END = CharacterTokenizer.EOS;
  private static final int X = Example.IGNORED;

  private static Encoded process(List<String> texts, String... words) {
    var rows = texts.stream().map(text -> new Conversation(List.of(text), "")).toList();
    var stage = Stream.concat(Stream.of("stage=pt"), Stream.of(words)).toArray(String[]::new);
    return new PretrainProcessor(TOKENIZER, Configs.data(stage)).process(rows);
  }

  @Test
  void cutsJoinedTextsIntoBlocks() {
    var encoded = process(List.of("abc", "de", "fgh"), "cutoff_len=4", "template=llama3");
    assertEquals(2, encoded.examples().size());
    assertArrayEquals(new int[]{'a', 'b', 'c', END}, encoded.examples().getFirst().inputIds());
    assertArrayEquals(new int[]{'d', 'e', END, 'f'}, encoded.examples().getLast().inputIds());
    assertArrayEquals(new int[]{'d', 'e', END, 'f'}, encoded.examples().getLast().labels(),
        "llama3 learns the end of a text");
    assertEquals(List.of("3 tokens after the last full block of a group of 1000 rows were dropped"),
        encoded.notices());
  }

  @Test
  void theEndIsNotLearnedWhereItIsThePadding() {
    var encoded = process(List.of("abc", "de"), "cutoff_len=4");
    assertArrayEquals(new int[]{'a', 'b', 'c', X}, encoded.examples().getFirst().labels());
    assertArrayEquals(new int[]{'a', 'b', 'c', END}, encoded.examples().getFirst().inputIds());
  }

  @Test
  void aGroupsRemainderIsDropped() {
    var encoded = process(List.of("abc", "defgh", "ijk"), "cutoff_len=3", "preprocessing_batch_size=1");
    var texts = encoded.examples().stream().map(example -> TOKENIZER.decode(example.inputIds(), false)).toList();
    assertEquals(List.of("abc", "def", "gh<|end_of_text|>", "ijk"), texts);
    assertEquals(List.of("2 tokens after the last full block of a group of 1 rows were dropped"), encoded.notices());
  }

  @Test
  void withoutPackingEachTextIsASequence() {
    var encoded = process(List.of("abcdef", "gh", ""), "cutoff_len=4", "packing=false", "template=llama3");
    assertEquals(3, encoded.examples().size());
    assertArrayEquals(new int[]{'a', 'b', 'c', 'd'}, encoded.examples().get(0).inputIds());
    assertArrayEquals(new int[]{'g', 'h', END}, encoded.examples().get(1).inputIds());
    assertArrayEquals(new int[]{END}, encoded.examples().get(2).inputIds());
    assertEquals(List.of("1 texts longer than cutoff_len 4 were cut"), encoded.notices());
  }

  @Test
  void anExplicitPackingMakesShorterBlocks() {
    var encoded = process(List.of("abcdefgh"), "cutoff_len=4", "packing=true");
    assertEquals(3, encoded.examples().size());
    assertEquals(3, encoded.examples().getFirst().length());
  }

  @Test
  void noBeginningIsAdded() {
    assertEquals('a', process(List.of("abcdefgh"), "cutoff_len=4").examples().getFirst().inputIds()[0]);
  }
}
