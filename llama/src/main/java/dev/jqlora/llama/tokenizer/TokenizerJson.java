package dev.jqlora.llama.tokenizer;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A checked {@code tokenizer.json}. The native library ends the whole process on some files that are odd but valid JSON
 * (a word prefix longer than a token, a normalizer table cut short, a decoder that strips more than there is), so only
 * what is known to be safe passes: byte-pair models, and the parts that Llama tokenizers are made of.
 *
 * @param ids every token, added ones included, with its id
 * @param templateBos the token that the post-processor puts before a text, where it does
 * @param nativeText the JSON to hand to the library: without truncation and padding (whose lengths are the caller's
 *        business) and without post-processor (no ids are to be added)
 */
record TokenizerJson(Map<String, Integer> ids, Optional<String> templateBos, String nativeText) {
  private static final long MAXIMUM_FILE_BYTES = 256L << 20;
  private static final int MAXIMUM_ID = 1 << 24;

  static TokenizerJson read(Path file) {
    return new Checks(JsonObject.read(file, MAXIMUM_FILE_BYTES)).result();
  }

  /** The checks of one file. */
  private static final class Checks {
    private final JsonObject json;
    private final Map<String, Integer> ids = new HashMap<>();
    private final BitSet taken = new BitSet();

    Checks(JsonObject json) {
      this.json = json;
    }

    TokenizerJson result() {
      model(json.object("model").orElseThrow(() -> json.wrong("model", "an object")));
      addedTokens();
      json.object("normalizer").ifPresent(this::normalizer);
      json.object("pre_tokenizer").ifPresent(this::preTokenizer);
      json.object("decoder").ifPresent(this::decoder);
      Optional<String> templateBos = json.object("post_processor").flatMap(Checks::templateBos);
      ObjectNode node = json.node();
      node.putNull("truncation");
      node.putNull("padding");
      node.putNull("post_processor");
      String text = node.toString();
      if (!text.equals(WellFormed.text(text))) {
        throw json.error("a string holds half a surrogate pair; fetch the file again");
      }
      return new TokenizerJson(Collections.unmodifiableMap(ids), templateBos, text);
    }

    private void model(JsonObject model) {
      if (!model.optionalText("type").orElse("BPE").equals("BPE")) {
        throw model.wrong("type", "\"BPE\" (all Llama tokenizers are)");
      }
      for (String key : new String[]{"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!model.optionalText(key).orElse("").isEmpty()) {
          throw model.wrong(key, "null");
        }
      }
      if (model.number("dropout", 0) != 0) {
        throw model.wrong("dropout", "null");
      }
      JsonObject vocabulary = model.object("vocab").orElseThrow(() -> model.wrong("vocab", "an object"));
      for (Map.Entry<String, JsonNode> token : vocabulary.fields()) {
        int id = id(vocabulary, token.getKey());
        if (taken.get(id)) {
          throw vocabulary.error("id %d stands twice, the second time for %s; fetch the file again".formatted(id,
              quoted(token.getKey())));
        }
        taken.set(id);
        ids.put(token.getKey(), id);
      }
      model.optionalText("unk_token").filter(token -> !ids.containsKey(token)).ifPresent(_ -> {
        throw model.wrong("unk_token", "a token of the vocabulary, or null");
      });
    }

    private static int id(JsonObject owner, String key) {
      int id = owner.intValue(key, -1);
      if (id < 0 || id >= MAXIMUM_ID) {
        throw owner.wrong(key, "an id from 0 to " + (MAXIMUM_ID - 1));
      }
      return id;
    }

    /**
     * The library gives an added token the id that its text has in the vocabulary, else the next free one, and ignores
     * the file's; a file that says otherwise would be tokenized wrongly without a word.
     */
    private void addedTokens() {
      int next = ids.size();
      BitSet seen = new BitSet();
      for (JsonObject token : objects(json, "added_tokens")) {
        String content = token.text("content");
        int id = id(token, "id");
        int assigned = ids.getOrDefault(content, next);
        if (content.isEmpty() || seen.get(id) || id != assigned) {
          throw token.error("added token %s has id %d; expected a text of its own and id %d".formatted(quoted(content),
              id, assigned));
        }
        seen.set(id);
        next = Math.max(next, id + 1);
        ids.put(content, id);
      }
    }

    private void normalizer(JsonObject part) {
      switch (part.text("type")) {
        case "Sequence" -> each(part, "normalizers", this::normalizer);
        case "Replace" -> pattern(part);
        case "Prepend", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents" -> {
        }
        default -> throw part.wrong("type", "a normalizer of Llama tokenizers (Sequence, Prepend, Replace, NFC, …)");
      }
    }

    private void preTokenizer(JsonObject part) {
      switch (part.text("type")) {
        case "Sequence" -> each(part, "pretokenizers", this::preTokenizer);
        case "Split" -> pattern(part);
        case "ByteLevel", "Metaspace", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit" -> {
        }
        default -> throw part.wrong("type", "a pre-tokenizer of Llama tokenizers (Sequence, Split, ByteLevel, …)");
      }
    }

    private void decoder(JsonObject part) {
      switch (part.text("type")) {
        case "Sequence" -> each(part, "decoders", this::decoder);
        case "Replace" -> pattern(part);
        case "Strip" -> {
          if (part.intValue("stop", 0) != 0) {
            throw part.wrong("stop", "0");
          }
        }
        case "ByteLevel", "ByteFallback", "Fuse", "Metaspace" -> {
        }
        default -> throw part.wrong("type", "a decoder of Llama tokenizers (Sequence, ByteLevel, ByteFallback, …)");
      }
    }

    /**
     * The library's regex engine gives up, and ends the process, after ten million steps back; a repeated group gets
     * there on a short text.
     */
    private static void pattern(JsonObject part) {
      Optional<JsonObject> pattern = part.object("pattern");
      if (pattern.isPresent() && pattern.get().optionalText("Regex").filter(Checks::repeatsGroup).isPresent()) {
        throw pattern.get().wrong("Regex", "a pattern that repeats no group without bound");
      }
    }

    private static boolean repeatsGroup(String regex) {
      boolean inClass = false;
      for (int i = 0; i < regex.length() - 1; i++) {
        switch (regex.charAt(i)) {
          case '\\' -> i++;
          case '[' -> inClass = true;
          case ']' -> inClass = false;
          case ')' -> {
            if (!inClass && "*+{".indexOf(regex.charAt(i + 1)) >= 0) {
              return true;
            }
          }
          default -> {
          }
        }
      }
      return false;
    }

    private static Optional<String> templateBos(JsonObject processor) {
      if (processor.optionalText("type").orElse("").equals("Sequence")) {
        for (JsonObject part : objects(processor, "processors")) {
          Optional<String> bos = templateBos(part);
          if (bos.isPresent()) {
            return bos;
          }
        }
      }
      JsonNode first = processor.node().path("single").path(0).path("SpecialToken").path("id");
      return Optional.ofNullable(first.textValue());
    }

    private static void each(JsonObject owner, String key, Consumer<JsonObject> check) {
      objects(owner, key).forEach(check);
    }

    private static Iterable<JsonObject> objects(JsonObject owner, String key) {
      if (!owner.has(key)) {
        return List.of();
      }
      if (!(owner.node().get(key) instanceof ArrayNode array)) {
        throw owner.wrong(key, "an array of objects");
      }
      List<JsonObject> objects = new ArrayList<>();
      for (JsonNode element : array) {
        if (!(element instanceof ObjectNode object)) {
          throw owner.wrong(key, "an array of objects");
        }
        objects.add(new JsonObject("%s: %s[%d]".formatted(owner.source(), quoted(key), objects.size()), object));
      }
      return objects;
    }
  }
}
