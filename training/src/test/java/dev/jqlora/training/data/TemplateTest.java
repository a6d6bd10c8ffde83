package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.error.JqloraException;
import java.util.List;
import org.junit.jupiter.api.Test;

class TemplateTest {
  private static final CharacterTokenizer LLAMA3 = CharacterTokenizer.llama3();
  private static final CharacterTokenizer PLAIN = CharacterTokenizer.plain();

  private static String text(CharacterTokenizer tokenizer, int[] ids) {
    return tokenizer.decode(ids, false);
  }

  private static void assertTurns(Template template, CharacterTokenizer tokenizer, String system, List<String> turns,
      String... expected) {
    var encoded = template.encode(tokenizer, turns, system);
    for (int i = 0; i < encoded.size(); i++) {
      assertEquals(expected[2 * i], text(tokenizer, encoded.get(i).source()));
      assertEquals(expected[2 * i + 1], text(tokenizer, encoded.get(i).target()));
    }
    assertEquals(expected.length, 2 * encoded.size());
  }

  @Test
  void llama3() {
    assertTurns(Template.LLAMA3, LLAMA3, "", List.of("hi", "B", "and?", "C"),
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "B<|eot_id|>", "<|start_header_id|>user<|end_header_id|>\n\nand?<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "C<|eot_id|>");
    assertTurns(Template.LLAMA3, LLAMA3, "Be brief.", List.of("hi", "B"),
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "B<|eot_id|>");
  }

  @Test
  void alpaca() {
    assertTurns(Template.ALPACA, PLAIN, Template.ALPACA.defaultSystem(), List.of("hi", "B"),
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\nhi\n\n### Response:\n",
        "B</s>\n\n");
  }

  @Test
  void defaultAndEmpty() {
    assertTurns(Template.DEFAULT, PLAIN, "S", List.of("hi", "B"), "System: S</s>\nHuman: hi</s>\nAssistant:",
        "B</s>\n");
    assertTurns(Template.EMPTY, PLAIN, "", List.of("hi", "B"), "hi", "B");
  }

  @Test
  void replacesOnePlaceholderOnly() {
    assertTurns(Template.ALPACA, PLAIN, "", List.of("say {{content}}", "{{content}}{{content}}"),
        "### Instruction:\nsay {{content}}\n\n### Response:\n", "{{content}}{{content}}</s>\n\n");
  }

  @Test
  void aPromptEndsWhereTheAnswerBegins() {
    assertEquals("Human: a</s>\nAssistant:b</s>\nHuman: c</s>\nAssistant:",
        text(PLAIN, Template.DEFAULT.encodePrompt(PLAIN, List.of("a", "b", "c"), "")));
    var turn = Template.LLAMA3.encode(LLAMA3, List.of("hi", "B"), "s").getFirst();
    assertArrayEquals(turn.source(), Template.LLAMA3.encodePrompt(LLAMA3, List.of("hi"), "s"));
    assertThrows(IllegalArgumentException.class, () -> Template.EMPTY.encodePrompt(PLAIN, List.of("a", "b"), ""));
  }

  @Test
  void theEndTokenIsTheTemplates() {
    assertEquals(CharacterTokenizer.EOT, Template.LLAMA3.endId(LLAMA3));
    assertEquals(CharacterTokenizer.EOT, Template.LLAMA3.padId(LLAMA3).getAsInt());
    assertEquals(CharacterTokenizer.EOS, Template.ALPACA.endId(LLAMA3));
    assertEquals(CharacterTokenizer.EOS, Template.EMPTY.padId(LLAMA3).getAsInt());
  }

  @Test
  void aTemplateNeedsItsTokens() {
    var thrown = assertThrows(JqloraException.class, () -> Template.LLAMA3.endId(PLAIN));
    assertEquals("template llama3 needs <|eot_id|>, which this model's tokenizer does not have; expected another "
        + "template", thrown.getMessage());
    assertEquals("template: expected one of llama3, alpaca, default, empty, got \"qwen\"",
        assertThrows(JqloraException.class, () -> Template.named("qwen")).getMessage());
    assertEquals(Template.EMPTY, Template.named(null));
  }
}
