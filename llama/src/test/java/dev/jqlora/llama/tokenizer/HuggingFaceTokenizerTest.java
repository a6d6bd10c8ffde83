package dev.jqlora.llama.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.files.OneLineError;
import dev.jqlora.llama.files.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HuggingFaceTokenizerTest {
  private static final int BOS = 128_000;
  private static final Map<String, Tokenizer> OPENED = new HashMap<>();

  @TempDir
  Path folder;

  /** Ids that the reference library gives for the Llama 3 tokenizer, with no token added. */
  @ParameterizedTest
  @CsvSource(delimiter = '@', quoteCharacter = '~', ignoreLeadingAndTrailingWhitespace = false, value = {
      "Hello, world!@9906 11 1917 0", "  leading and   inner spaces  @220 6522 323 256 9358 12908 256",
      "I'm you're WE'LL it's don'T@40 2846 499 2351 20255 6 4178 433 596 1541 17773",
      "12345678 3.14159 1,000@4513 10961 2495 220 18 13 9335 2946 220 16 11 931",
      "na\\u00efve caf\\u00e9 \\u2013 \\u201cquotes\\u201d \\u2026 \\u00b5g/mL \\u2265 5\\u00b0C"
          + "@3458 38672 588 53050 1389 1054 54382 863 4696 64012 70 93422 63247 220 20 32037",
      "line1\\r\\nline2\\n\\n\\n   line3\\t\\tend@1074 16 319 1074 17 1432 256 1584 18 197 6379",
      "\\u4e2d\\u6587\\u5b57\\u7b26 \\u548c \\u65e5\\u672c\\u8a9e@108891 49491 59243 105180 102158",
      "emoji \\ud83d\\udc69\\ud83c\\udffd\\u200d\\u2695\\ufe0f test \\ud83d\\ude00"
          + "@38623 62904 102 9468 237 121 102470 158 248 243 31643 1296 91416",
      "a\\u00a0b\\u3000c\\u2028d@64 115648 23249 66 378 101 67", "\\n \\n  \\nx@27907 2355 87",
      "100mg/dL (HbA1c 7.2%)@1041 12591 3529 43 320 39 65 32 16 66 220 22 13 17 11587",
      "\\u00e9 vs e\\u0301@978 6296 384 54939", "<|begin_of_text|>x<|end_of_text|>@128000 87 128001",
      "\\u0120test\\u010a@119741 1985 128 232", "\\n@198", "\\n\\n@271", " \\n@720"})
  void encodesAsTheReference(String escaped, String ids) throws IOException {
    String text = new ObjectMapper().readValue('"' + escaped + '"', String.class);
    Tokenizer tokenizer = llama3();
    int[] expected = Arrays.stream(ids.split(" ")).filter(id -> !id.isEmpty()).mapToInt(Integer::parseInt).toArray();
    assertArrayEquals(expected, tokenizer.encode(text), text);
    assertEquals(text, tokenizer.decode(expected, false));
    int[] begun = tokenizer.encodeWithBos(text);
    assertEquals(1, Arrays.stream(begun).filter(id -> id == BOS).count(), text);
    assertEquals(BOS, begun[0]);
  }

  @Test
  void encodesAsTheGenerationGoldens() throws IOException {
    JsonNode goldens = new ObjectMapper().readTree(SharedData.path("golden/generation.json").toFile());
    assertEquals(3, goldens.size());
    Tokenizer tokenizer = stories();
    for (JsonNode golden : goldens) {
      String prompt = golden.get("prompt").textValue();
      int[] ids = ints(golden.get("prompt_ids"));
      assertArrayEquals(ids, tokenizer.encodeWithBos(prompt), prompt);
      assertEquals(prompt, tokenizer.decode(ids, true));
      int[] all = Arrays.copyOf(ids, ids.length + golden.get("greedy_ids").size());
      System.arraycopy(ints(golden.get("greedy_ids")), 0, all, ids.length, all.length - ids.length);
      assertEquals(golden.get("text").textValue(), tokenizer.decode(all, true));
    }
  }

  @Test
  void bosComesOnceWhateverThePostProcessorAdds() throws IOException {
    JsonObject json = JsonObject.read(SharedData.path("llama3-tokenizer/tokenizer.json"));
    json.node().set("post_processor", new ObjectMapper().readTree("""
        {"type": "Sequence", "processors": [
          {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
          {"type": "TemplateProcessing",
           "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}},
                      {"Sequence": {"id": "A", "type_id": 0}}],
           "pair": [], "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [128000],
             "tokens": ["<|begin_of_text|>"]}}}]}"""));
    Files.writeString(folder.resolve("tokenizer.json"), json.node().toString());
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(folder)) {
      assertArrayEquals(new int[]{9906}, tokenizer.encode("Hello"));
      assertArrayEquals(new int[]{BOS, 9906}, tokenizer.encodeWithBos("Hello"));
      assertArrayEquals(new int[]{BOS, 9906}, tokenizer.encodeWithBos("<|begin_of_text|>Hello"));
      assertEquals(OptionalInt.of(BOS), tokenizer.bosId());
    }
  }

  @Test
  void namesItsSpecialTokens() {
    assertEquals(OptionalInt.of(BOS), llama3().bosId());
    assertEquals(OptionalInt.of(128_001), llama3().eosId());
    assertEquals(OptionalInt.empty(), llama3().padId());
    assertEquals(128_256, llama3().vocabSize());
    assertEquals(OptionalInt.of(128_009), llama3().id("<|eot_id|>"));
    assertEquals(OptionalInt.of(1917), llama3().id("Ġworld"));
    assertEquals(OptionalInt.empty(), llama3().id("no such token"));
    assertEquals(512, stories().vocabSize());
    assertEquals(OptionalInt.of(1), stories().bosId());
  }

  @Test
  void readsSpecialTokensInAllTheirForms() throws IOException {
    copyStories();
    Files.writeString(folder.resolve("tokenizer_config.json"), """
        {"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false}, "pad_token": null}""");
    Files.writeString(folder.resolve("special_tokens_map.json"), """
        {"bos_token": "</s>", "eos_token": "</s>", "pad_token": {"content": "<unk>"}}""");
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(folder)) {
      assertEquals(List.of(OptionalInt.of(1), OptionalInt.of(2), OptionalInt.of(0)), List.of(tokenizer.bosId(),
          tokenizer.eosId(), tokenizer.padId()));
    }
    Files.delete(folder.resolve("tokenizer_config.json"));
    Files.delete(folder.resolve("special_tokens_map.json"));
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(folder)) {
      assertEquals(OptionalInt.of(1), tokenizer.bosId(), "the post-processor's");
      assertEquals(OptionalInt.empty(), tokenizer.eosId());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "\u0000", "a\u0000b", "\uD83D\uDE00", "\uFFFD", "e\u0301\u200B", "\t\r\n\f\u000B",
      "\uDBFF\uDFFF", "<0x41>", "▁", "<s>", "a<unk>b</s>"})
  void anyTextComesBack(String text) {
    assertEquals(text, llama3().decode(llama3().encode(text), false));
  }

  @Test
  void halfASurrogatePairBecomesTheReplacementCharacter() {
    assertArrayEquals(llama3().encode("a\uFFFDb\uFFFD"), llama3().encode("a\uD83Db\uDE00"));
    assertEquals("\uFFFD\uD83D\uDE00\uFFFD", WellFormed.text("\uDE00\uD83D\uDE00\uD83D"));
  }

  @Test
  void idsThatAreNoTokensDecodeToNothing() {
    assertEquals("Hello", llama3().decode(new int[]{9906, 200_000, Integer.MAX_VALUE}, false));
    assertThrows(IllegalArgumentException.class, () -> llama3().decode(new int[]{-1}, false));
  }

  @Test
  void skipsSpecialTokensWhenAsked() {
    assertEquals("Hello", llama3().decode(new int[]{BOS, 9906, 128_009}, true));
    assertEquals("<|begin_of_text|>Hello<|eot_id|>", llama3().decode(new int[]{BOS, 9906, 128_009}, false));
  }

  @Test
  void endlessWhitespaceIsRefused() {
    OneLineError.assertThrown(() -> llama3().encode("x" + " ".repeat(12_000_000)), "more than 1000000 spaces");
  }

  @Test
  void threadsShareATokenizer() throws Exception {
    List<Callable<int[]>> calls = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      String text = "patient " + i % 20 + " has a fever of " + i % 20 + ".5 °C \uD83D\uDE00";
      calls.add(() -> llama3().encode(text));
    }
    try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
      List<Future<int[]>> results = threads.invokeAll(calls);
      for (int i = 0; i < results.size(); i++) {
        assertArrayEquals(calls.get(i).call(), results.get(i).get());
      }
    }
  }

  @Test
  void aClosedTokenizerSaysSo() throws IOException {
    copyStories();
    Tokenizer tokenizer = HuggingFaceTokenizer.open(folder);
    tokenizer.close();
    tokenizer.close();
    assertThrows(IllegalStateException.class, () -> tokenizer.encode("x"));
  }

  @Test
  void copiesItsFilesToARun() throws IOException {
    copyStories();
    Files.writeString(folder.resolve("special_tokens_map.json"), "{}");
    Path run = folder.resolve("run/checkpoint-1");
    try (HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.open(folder)) {
      tokenizer.files().copyTo(run);
    }
    try (var copied = Files.list(run)) {
      assertEquals(List.of("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"), copied.map(
          file -> file.getFileName().toString()).sorted().toList());
    }
    assertEquals(-1, Files.mismatch(folder.resolve("tokenizer.json"), run.resolve("tokenizer.json")));
  }

  /** Each of these ended the process, or gave wrong ids silently, when it reached the native library. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '~', value = {
      "/model/continuing_subword_prefix | \"zzzzzzzz\" | expected null", "/model/end_of_word_suffix | \"</w>\" | null",
      "/model/dropout | 0.5 | expected null", "/model/type | \"WordPiece\" | expected \"BPE\"",
      "/model/unk_token | \"<nope>\" | a token of the vocabulary", "/model/vocab/a | 1.5 | an integer",
      "/model/vocab/a | -1 | an id from 0", "/model/vocab/a | 5 | stands twice",
      "/model/vocab/a | 4294967295 | integer",
      "/model/vocab | [] | expected an object", "/model/merges | [\"qq zz\"] | out of vocabulary",
      "/model/merges | [1] | cannot be used", "/model | null | expected an object",
      "/added_tokens | [\"<s>\"] | an array of objects", "/added_tokens/0/id | 700 | expected a text of its own",
      "/added_tokens/0/content | \"\" | expected a text of its own and id",
      "/added_tokens/1/content | \"<unk>\" | expected a text of its own",
      "/normalizer | {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"} | a normalizer of Llama",
      "/normalizer | {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(a*)+$\"}, \"content\": \"\"} | repeats no",
      "/normalizer | 5 | expected an object",
      "/normalizer/normalizers/0 | {\"type\": \"Precompiled\"} | \"normalizers\"[0]: \"type\" is \"Precompiled\"",
      "/pre_tokenizer | {\"type\": \"FixedLength\", \"length\": 0} | a pre-tokenizer of Llama",
      "/pre_tokenizer | {\"type\": \"Metaspace\", \"replacement\": \"\"} | cannot be used",
      "/pre_tokenizer | {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}, \"behavior\": \"Isolated\", \"invert\": false} | Oniguruma",
      "/decoder | {\"type\": \"Strip\", \"content\": \"a\", \"start\": 3, \"stop\": 3000} | \"stop\" is 3000",
      "/decoder | {\"type\": \"Sequence\", \"decoders\": 5} | an array of objects", "/version | \"9\" | version"})
  void filesThatTheLibraryCannotTakeAreRefused(String pointer, String value, String message) throws IOException {
    copyStories();
    Path file = folder.resolve("tokenizer.json");
    JsonNode root = new ObjectMapper().readTree(file.toFile());
    int last = pointer.lastIndexOf('/');
    JsonNode owner = root.at(pointer.substring(0, last));
    JsonNode changed = new ObjectMapper().readTree(value);
    if (owner instanceof ArrayNode array) {
      array.set(Integer.parseInt(pointer.substring(last + 1)), changed);
    } else {
      ((ObjectNode) owner).set(pointer.substring(last + 1), changed);
    }
    Files.writeString(file, root.toString());
    OneLineError.assertThrown(() -> HuggingFaceTokenizer.open(folder), file.toString(), message.strip());
  }

  @Test
  void truncationAndPaddingOfTheFileAreIgnored() throws IOException {
    copyStories();
    Path file = folder.resolve("tokenizer.json");
    Files.writeString(file, Files.readString(file).replaceFirst("\"truncation\": ?null",
        "\"truncation\":{\"max_length\":5,\"strategy\":\"LongestFirst\",\"stride\":5,\"direction\":\"Right\"}"));
    try (Tokenizer tokenizer = HuggingFaceTokenizer.open(folder)) {
      String text = "Once upon a time there was a little girl";
      assertArrayEquals(stories().encode(text), tokenizer.encode(text));
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '~', value = {
      "{\"bos_token\": 5} | \"bos_token\" is 5; expected a string", "{\"eos_token\": {}} | expected a string",
      "{\"pad_token\": \"<pad>\"} | pad_token \"<pad>\" is no token of tokenizer.json", "[] | an array", "'' | nothing",
      "{ | not valid JSON"})
  void wrongSpecialTokensAreNamed(String config, String message) throws IOException {
    copyStories();
    Files.writeString(folder.resolve("tokenizer_config.json"), config.replace("''", ""));
    OneLineError.assertThrown(() -> HuggingFaceTokenizer.open(folder), "tokenizer_config.json", message);
  }

  @Test
  void aFolderWithoutTokenizerSaysSo() {
    OneLineError.assertThrown(() -> HuggingFaceTokenizer.open(folder), "tokenizer.json does not exist");
  }

  private void copyStories() {
    new TokenizerFiles(SharedData.path("stories260K")).copyTo(folder);
  }

  private static int[] ints(JsonNode array) {
    int[] values = new int[array.size()];
    Arrays.setAll(values, i -> array.get(i).intValue());
    return values;
  }

  private static Tokenizer llama3() {
    return opened("llama3-tokenizer");
  }

  private static Tokenizer stories() {
    return opened("stories260K");
  }

  private static synchronized Tokenizer opened(String name) {
    return OPENED.computeIfAbsent(name, _ -> HuggingFaceTokenizer.open(SharedData.path(name)));
  }

  @AfterAll
  static void close() {
    OPENED.values().forEach(Tokenizer::close);
    OPENED.clear();
  }
}
