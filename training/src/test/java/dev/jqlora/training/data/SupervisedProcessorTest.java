package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.training.data.DataRow.Conversation;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SupervisedProcessorTest {
  private static final CharacterTokenizer TOKENIZER = CharacterTokenizer.plain();

  private static Encoded process(List<Conversation> rows, String... words) {
    return new SupervisedProcessor(TOKENIZER, Configs.data(words)).process(rows);
  }

  private static Conversation row(String... turns) {
    return new Conversation(List.of(turns), "");
  }

  /** The learned tokens as text, the others as dots. */
  private static String learned(Example example) {
    var text = new StringBuilder();
    for (int label : example.labels()) {
      text.append(label == Example.IGNORED ? "." : TOKENIZER.decode(new int[]{label}, false));
    }
    return text.toString();
  }

  private static String ids(Example example) {
    return TOKENIZER.decode(example.inputIds(), false);
  }

  @Test
  void learnsTheAnswer() {
    Example example = process(List.of(row("hi", "B")), "template=default").examples().getFirst();
    assertEquals("Human: hi</s>\nAssistant:B</s>\n", ids(example));
    assertEquals(".....................B</s>\n", learned(example));
  }

  @Test
  void learnsEveryAnswerOfAConversation() {
    var rows = List.of(row("ab", "C", "de", "F"));
    assertEquals("..C..F", learned(process(rows).examples().getFirst()));
    assertEquals("abCdeF", learned(process(rows, "train_on_prompt=true").examples().getFirst()));
    Example last = process(rows, "mask_history=true").examples().getFirst();
    assertEquals("abCdeF", ids(last), "the order stays");
    assertEquals(".....F", learned(last));
  }

  @Test
  void addsTheSystemText() {
    assertEquals("System: S</s>\nHuman: a</s>\nAssistant:b</s>\n", ids(process(
        List.of(new Conversation(List.of("a", "b"), "S")), "template=default").examples().getFirst()));
    assertEquals("System: T</s>\nHuman: a</s>\nAssistant:b</s>\n",
        ids(process(List.of(row("a", "b")), "template=default", "default_system=T").examples().getFirst()));
  }

  @ParameterizedTest(name = "{0} + {1} in {2}")
  @CsvSource({"10, 3, 20, 10, 3", "30, 3, 20, 17, 3", "5, 30, 20, 5, 15", "10, 10, 20, 10, 10", "30, 10, 20, 15, 5",
      "11, 21, 20, 7, 13", "9, 10, 20, 9, 10", "0, 30, 20, 0, 20", "20, 9, 20, 11, 9", "30, 30, 1, 1, 0"})
  void cutsByTheRule(int source, int target, int room, int keptSource, int keptTarget) {
    assertArrayEquals(new int[]{keptSource, keptTarget}, SupervisedProcessor.keptLengths(source, target, room));
  }

  @Test
  void aLongQuestionLosesItsEnd() {
    var encoded = process(List.of(row("abcdefghij", "XY")), "cutoff_len=6");
    assertEquals("abcdXY", ids(encoded.examples().getFirst()));
    assertEquals(List.of("1 rows are longer than cutoff_len 6 and were cut; a long question loses its end"),
        encoded.notices());
  }

  @Test
  void turnsAreTakenWhileThereIsRoom() {
    var rows = List.of(row("ab", "C", "de", "F", "gh", "I"));
    assertEquals("abCdeF", ids(process(rows, "cutoff_len=6").examples().getFirst()));
    assertEquals("deFghI", ids(process(rows, "cutoff_len=6", "mask_history=true").examples().getFirst()),
        "with mask_history the last turns come first");
  }

  @Test
  void dropsRowsWithoutAnAnswer() {
    var encoded = process(List.of(row("a"), row(), row("a", "b", "c"), row("a", "b")));
    assertEquals(1, encoded.examples().size());
    assertEquals(List.of("3 rows were dropped: roles that do not alternate, or a turn without an answer"),
        encoded.notices());
  }

  @Test
  void packsTheLongestThatFits() {
    var rows = IntStream.of(3, 5, 2, 4, 2).mapToObj(n -> row("a".repeat(n - 1), "B")).toList();
    var packs = process(rows, "packing=true", "cutoff_len=8").examples();
    assertEquals(List.of("aaaaBaB", "aaaBaaB", "aB"), packs.stream().map(SupervisedProcessorTest::ids).toList());
    assertArrayEquals(new int[]{0, 5}, packs.getFirst().segmentStarts());
    assertEquals(false, packs.getFirst().isolated());
    assertEquals(true, process(rows, "neat_packing=true", "cutoff_len=8").examples().getFirst().isolated());
  }

  @Test
  void ofRowsOfOneLengthTheLastIsPackedFirst() {
    var packs = process(List.of(row("a", "A"), row("b", "B"), row("c", "C")), "packing=true", "cutoff_len=5");
    assertEquals(List.of("cCbB", "aA"), packs.examples().stream().map(SupervisedProcessorTest::ids).toList());
  }

  @Test
  void packsWithinAGroupOfRows() {
    var rows = List.of(row("a", "A"), row("b", "B"), row("c", "C"));
    var packs = process(rows, "packing=true", "cutoff_len=9", "preprocessing_batch_size=2").examples();
    assertEquals(List.of("bBaA", "cC"), packs.stream().map(SupervisedProcessorTest::ids).toList());
  }
}
