package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.yaml.snakeyaml.Yaml;

class ModelCardTest {
  private static ModelCard card(String base, boolean adapter, List<LogEntry> history) {
    SequencedMap<String, String> settings = new LinkedHashMap<>();
    settings.put("learning_rate", "1.0E-4");
    settings.put("seed", "42");
    return new ModelCard("sft", base, adapter, List.of("medqa_sft"), settings, history, new LinkedHashMap<>(Map.of(
        "jqlora", "0.1.0")));
  }

  private static Map<String, Object> head(String text) {
    return new Yaml().load(text.substring(4, text.indexOf("\n---", 4)));
  }

  @Test
  void headReadsAsYaml() {
    for (String base : List.of("meta-llama/Meta-Llama-3-8B", "../models/a b", "C:\\models\\\"x\"", "null", "5e3",
        "a: b",
        "- x", "#x", "/models/llama", "x:")) {
      Map<String, Object> head = head(card(base, true, List.of()).text());
      assertEquals(base, head.get("base_model"));
      assertEquals("peft", head.get("library_name"));
      assertEquals("text-generation", head.get("pipeline_tag"));
      assertEquals(List.of("base_model:adapter:" + base, "llama-factory", "lora", "transformers"), head.get("tags"));
      assertEquals(List.of(Map.of("name", "sft", "results", List.of())), head.get("model-index"));
    }
    assertEquals(List.of("llama-factory", "full"), head(card("x", false, List.of()).text()).get("tags"));
  }

  @Test
  void showsSettingsAndResults() {
    List<LogEntry> history = List.of(new LogEntry.Step(0.5, 5, 1.23456, 1, 0), new LogEntry.Evaluation(0.6, 6,
        new TreeMap<>(Map.of("eval_loss", 0.98766))), new LogEntry.Step(1, 10, 1, 1, 0));
    String text = card("base", true, history).text();
    assertTrue(text.contains("- learning_rate: 1.0E-4\n- seed: 42\n"), text);
    assertTrue(text.contains("| 1.2346 | 0.6 | 6 | 0.9877 |"), text);
    assertTrue(text.contains("- eval_loss: 0.9877"), text);
    assertTrue(text.contains("trained on medqa_sft"), text);
    assertFalse(card("base", true, history.subList(0, 1)).text().contains("## Results"));
  }
}
