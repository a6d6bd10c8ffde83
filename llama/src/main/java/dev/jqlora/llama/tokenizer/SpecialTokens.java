package dev.jqlora.llama.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/** The ids that {@code tokenizer_config.json} (in older folders, {@code special_tokens_map.json}) names. */
record SpecialTokens(OptionalInt bos, OptionalInt eos, OptionalInt pad) {
  static SpecialTokens read(Path folder, TokenizerJson tokenizer) {
    Optional<JsonObject> config = open(folder.resolve(TokenizerFiles.CONFIG));
    Optional<JsonObject> map = open(folder.resolve(TokenizerFiles.SPECIAL_TOKENS));
    OptionalInt bos = id("bos_token", config, map, tokenizer);
    if (bos.isEmpty() && config.isEmpty() && map.isEmpty()) {
      bos = tokenizer.templateBos().map(tokenizer.ids()::get).map(OptionalInt::of).orElse(OptionalInt.empty());
    }
    return new SpecialTokens(bos, id("eos_token", config, map, tokenizer), id("pad_token", config, map, tokenizer));
  }

  private static Optional<JsonObject> open(Path file) {
    return Files.exists(file) ? Optional.of(JsonObject.read(file)) : Optional.empty();
  }

  private static OptionalInt id(String key, Optional<JsonObject> config, Optional<JsonObject> map,
      TokenizerJson tokenizer) {
    Optional<JsonObject> holder = config.filter(json -> json.has(key)).or(() -> map.filter(json -> json.has(key)));
    if (holder.isEmpty()) {
      return OptionalInt.empty();
    }
    JsonNode value = holder.get().node().get(key);
    JsonNode content = value.isObject() ? value.path("content") : value;
    if (!content.isTextual()) {
      throw holder.get().wrong(key, "a string, or an object with a string \"content\"");
    }
    Integer id = tokenizer.ids().get(content.textValue());
    if (id == null) {
      throw holder.get().error("%s %s is no token of %s; fetch both files again".formatted(key, FileErrors.quoted(
          content.textValue()), TokenizerFiles.TOKENIZER));
    }
    return OptionalInt.of(id);
  }
}
