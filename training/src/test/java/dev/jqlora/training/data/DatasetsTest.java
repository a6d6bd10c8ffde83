package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.training.config.Stage;
import dev.jqlora.training.files.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetsTest {
  private static final CharacterTokenizer TOKENIZER = CharacterTokenizer.plain();

  @TempDir
  Path folder;

  private void file(String name, String text) throws IOException {
    Files.createDirectories(folder.resolve(name).getParent());
    Files.writeString(folder.resolve(name), text);
  }

  private Datasets load(Stage stage, String... words) {
    var all = Stream.concat(Stream.of("dataset_dir=" + folder), Stream.of(words)).toArray(String[]::new);
    return Datasets.load(Configs.data(all), stage, 42, TOKENIZER);
  }

  private static List<String> texts(List<Example> examples) {
    return examples.stream().map(example -> TOKENIZER.decode(example.inputIds(), false)).toList();
  }

  private List<String> train(String info, String... words) throws IOException {
    file("dataset_info.json", info);
    var all = Stream.concat(Stream.of("dataset=d"), Stream.of(words)).toArray(String[]::new);
    return texts(load(Stage.SFT, all).train());
  }

  @Test
  void readsAlpacaInEveryFormat() throws IOException {
    file("a.json",
        "[{\"instruction\":\"do\",\"input\":\"x\",\"output\":\"Y\"},\n{\"instruction\":\"go\",\"output\":\"Z\"}]");
    file("b.jsonl", "\uFEFF{\"instruction\":\"do\",\"input\":\"x\",\"output\":\"Y\"}\r\n\n"
        + "{\"instruction\":\"go\",\"input\":null,\"output\":\"Z\",\"other\":1}");
    file("c.csv", "instruction,input,output\ndo,x,Y\n\"go\",,Z\n");
    file("d.json",
        "{\"instruction\":\"do\",\"input\":\"x\",\"output\":\"Y\"}\n{\"instruction\":\"go\",\"output\":\"Z\"}");
    for (String name : List.of("a.json", "b.jsonl", "c.csv", "d.json")) {
      assertEquals(List.of("do\nxY", "goZ"), train("{\"d\":{\"file_name\":\"" + name + "\"}}"), name);
    }
  }

  @Test
  void readsAFolderOfFilesInTheOrderOfTheirNames() throws IOException {
    file("many/2.jsonl", "{\"instruction\":\"c\",\"output\":\"d\"}");
    file("many/1.jsonl", "{\"instruction\":\"a\",\"output\":\"b\"}");
    file("many/.DS_Store", "?");
    assertEquals(List.of("ab", "cd"), train("{\"d\":{\"file_name\":\"many\"}}"));
  }

  @Test
  void columnsThatAreNotNamedAreNotRead() throws IOException {
    file("a.jsonl", "{\"instruction\":\"a\",\"input\":\"b\",\"output\":\"c\",\"q\":\"Q\",\"s\":\"S\"}");
    assertEquals(List.of("ac"),
        train("{\"d\":{\"file_name\":\"a.jsonl\",\"columns\":{\"prompt\":\"instruction\",\"response\":\"output\"}}}"));
    assertEquals(List.of("SQc"), train(
        "{\"d\":{\"file_name\":\"a.jsonl\",\"columns\":{\"prompt\":\"q\",\"response\":\"output\",\"system\":\"s\"}}}"));
  }

  @Test
  void historyComesFirst() throws IOException {
    file("a.jsonl", "{\"q\":\"c\",\"a\":\"D\",\"h\":[[\"a\",\"B\"]]}");
    assertEquals(List.of("aBcD"), train(
        "{\"d\":{\"file_name\":\"a.jsonl\",\"columns\":{\"prompt\":\"q\",\"response\":\"a\",\"history\":\"h\"}}}"));
  }

  @Test
  void readsConversations() throws IOException {
    file("a.jsonl", """
        {"conversations":[{"from":"system","value":"S"},{"from":"human","value":"a"},{"from":"gpt","value":"B"}]}
        {"conversations":[{"from":"gpt","value":"a"},{"from":"human","value":"B"}]}
        {"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"B"},{"from":"human","value":"c"}]}
        """);
    file("dataset_info.json", "{\"d\":{\"file_name\":\"a.jsonl\",\"formatting\":\"sharegpt\"}}");
    var loaded = load(Stage.SFT, "dataset=d", "template=empty");
    assertEquals(List.of("SaB"), texts(loaded.train()));
    assertEquals(List.of("train: 2 rows were dropped: roles that do not alternate, or a turn without an answer"),
        loaded.notices());
    file("b.jsonl",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"B\"}]}");
    assertEquals(List.of("aB"), train("{\"d\":{\"file_name\":\"b.jsonl\",\"formatting\":\"openai\"}}"));
    assertEquals(List.of("aB"), train("{\"d\":{\"file_name\":\"b.jsonl\",\"formatting\":\"sharegpt\","
        + "\"columns\":{\"messages\":\"messages\"},\"tags\":{\"role_tag\":\"role\",\"content_tag\":\"content\","
        + "\"user_tag\":\"user\",\"assistant_tag\":\"assistant\"}}}"));
  }

  @Test
  void readsPlainText() throws IOException {
    file("a.txt", "abc\n\nde\n");
    file("dataset_info.json", "{\"d\":{\"file_name\":\"a.txt\",\"columns\":{\"prompt\":\"text\"}}}");
    var loaded = load(Stage.PT, "dataset=d", "stage=pt", "cutoff_len=4");
    assertEquals(List.of("abc</s>", "</s>de</s>"), texts(loaded.train()));
  }

  @Test
  void passesTokensThrough() throws IOException {
    file("a.jsonl",
        "{\"input_ids\":[1,2,3,4],\"labels\":[-100,-100,3,4]}\n{\"input_ids\":[5,6],\"labels\":[5,-100]}\n");
    file("dataset_info.json", "{\"d\":{\"file_name\":\"a.jsonl\",\"formatting\":\"tokenized\"},"
        + "\"all\":{\"file_name\":\"a.jsonl\",\"formatting\":\"tokenized\",\"columns\":{\"input_ids\":\"input_ids\"}}}");
    var loaded = load(Stage.SFT, "dataset=d", "cutoff_len=3");
    assertEquals(1, loaded.train().size());
    assertArrayEquals(new int[]{1, 2, 3}, loaded.train().getFirst().inputIds());
    assertArrayEquals(new int[]{-100, -100, 3}, loaded.train().getFirst().labels());
    assertEquals(List.of("train: 1 rows longer than cutoff_len 3 were cut",
        "train: 1 sequences without a learned token were dropped"), loaded.notices());
    assertArrayEquals(new int[]{5, 6}, load(Stage.PT, "dataset=all").train().getLast().labels());
  }

  @Test
  void takesTheFirstRowsOrDrawsSome() throws IOException {
    var rows = new StringBuilder();
    for (int i = 0; i < 20; i++) {
      rows.append("{\"instruction\":\"").append((char) ('a' + i)).append("\",\"output\":\"!\"}\n");
    }
    file("a.jsonl", rows.toString());
    assertEquals(List.of("a!", "b!"), train("{\"d\":{\"file_name\":\"a.jsonl\"}}", "max_samples=2"));
    List<String> drawn = train("{\"d\":{\"file_name\":\"a.jsonl\",\"num_samples\":8}}");
    assertEquals(8, new HashSet<>(drawn).size());
    assertEquals(drawn, train("{\"d\":{\"file_name\":\"a.jsonl\",\"num_samples\":8}}"), "a seed draws the same");
    assertEquals(50, train("{\"d\":{\"file_name\":\"a.jsonl\",\"num_samples\":50}}").size());
    assertEquals(drawn.subList(0, 3), train("{\"d\":{\"file_name\":\"a.jsonl\",\"num_samples\":8}}", "max_samples=3"));
  }

  private void twoDatasets() throws IOException {
    file("a.jsonl", "{\"instruction\":\"a\",\"output\":\"1\"}\n{\"instruction\":\"a\",\"output\":\"2\"}");
    file("b.jsonl", IntStream.range(1, 6).mapToObj(i -> "{\"instruction\":\"b\",\"output\":\"" + i + "\"}\n")
        .reduce("", String::concat));
    file("dataset_info.json", "{\"a\":{\"file_name\":\"a.jsonl\"},\"b\":{\"file_name\":\"b.jsonl\"}}");
  }

  private String mixed(String... words) {
    var all = Stream.concat(Stream.of("dataset=a,b"), Stream.of(words)).toArray(String[]::new);
    return String.join(" ", texts(load(Stage.SFT, all).train()));
  }

  @Test
  void mixesDatasets() throws IOException {
    twoDatasets();
    assertEquals("a1 a2 b1 b2 b3 b4 b5", mixed());
    assertEquals("a1 b1 a2 b2", mixed("mix_strategy=interleave_under"));
    assertEquals("a1 b1 a2 b2 a1 b3 a2 b4 a1 b5", mixed("mix_strategy=interleave_over"));
    assertEquals("a1 b1 a2 b2 b3 b4 b5", mixed("mix_strategy=interleave_once"));
    String drawn = mixed("mix_strategy=interleave_over", "interleave_probs=0.2,0.8");
    assertTrue(drawn.contains("a1") && drawn.contains("b5") && drawn.indexOf("b5") > 0, drawn);
    assertEquals(drawn, mixed("mix_strategy=interleave_over", "interleave_probs=0.2,0.8"));
  }

  @Test
  void splitsOffAnEvaluationSet() throws IOException {
    twoDatasets();
    for (String size : List.of("val_size=0.4", "val_size=3")) {
      var loaded = load(Stage.SFT, "dataset=a,b", size);
      assertEquals(4, loaded.train().size(), size);
      var held = texts(evaluation(loaded));
      assertEquals(3, held.size(), size);
      var all = new ArrayList<>(texts(loaded.train()));
      all.addAll(held);
      assertEquals(7, new HashSet<>(all).size());
    }
    var thrown = assertThrows(JqloraException.class, () -> load(Stage.SFT, "dataset=a", "val_size=2"));
    assertEquals("val_size: 2.0 of 2 rows leaves none to train on; expected less", thrown.getMessage());
  }

  @Test
  void readsEvaluationSets() throws IOException {
    twoDatasets();
    var merged = load(Stage.SFT, "dataset=a", "eval_dataset=a,b");
    assertEquals(List.of(Datasets.EVAL), List.copyOf(merged.evaluation().keySet()));
    assertEquals(7, evaluation(merged).size());
    var each = load(Stage.SFT, "eval_dataset=a,b", "eval_on_each_dataset=true");
    assertEquals(List.of("a", "b"), List.copyOf(each.evaluation().keySet()));
    assertEquals(0, each.train().size());
  }

  @Test
  void theBatchesOfTheGoldenRunComeOutAsTheyAre() throws IOException {
    Path golden = Path.of(System.getProperty("jqlora.root", ".."), "..", "shared", "data", "golden", "lora",
        "batches.json");
    assumeTrue(Files.exists(golden), "skipped: the golden LoRA batches are not there: " + golden);
    JsonNode batches = Json.MAPPER.readTree(Files.readString(golden)).path("batches");
    var rows = new StringBuilder();
    batches.forEach(update -> update.forEach(batch -> batch.forEach(row -> rows.append(row).append('\n'))));
    file("golden.jsonl", rows.toString());
    file("dataset_info.json", "{\"d\":{\"file_name\":\"golden.jsonl\",\"formatting\":\"tokenized\"}}");
    List<Example> examples = load(Stage.SFT, "dataset=d").train();
    var plan = new BatchPlan(examples.size(), 2, 2, false, false, 42);
    assertEquals(12, plan.totalUpdates(1, -1));
    for (int update = 0; update < 12; update++) {
      List<int[]> microBatches = plan.update(update);
      for (int i = 0; i < 2; i++) {
        var batch = MicroBatch.of(Arrays.stream(microBatches.get(i)).mapToObj(examples::get).toList());
        assertEquals(tokens(batches.path(update).path(i)), Arrays.stream(batch.tokens()).boxed().toList());
      }
    }
  }

  private static List<Example> evaluation(Datasets datasets) {
    return datasets.evaluation().getOrDefault(Datasets.EVAL, List.of());
  }

  private static List<Integer> tokens(JsonNode batch) {
    var tokens = new ArrayList<Integer>();
    batch.forEach(row -> row.path("input_ids").forEach(id -> tokens.add(id.intValue())));
    return tokens;
  }
}
