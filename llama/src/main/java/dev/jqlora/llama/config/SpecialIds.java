package dev.jqlora.llama.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * The token ids that a model's files name.
 *
 * @param bos the id before every text
 * @param eos the ids that end a text; several for instruction-tuned models, none where the file names none
 * @param pad the padding id
 */
public record SpecialIds(OptionalInt bos, List<Integer> eos, OptionalInt pad) {
  private static final String BOS = "bos_token_id";
  private static final String EOS = "eos_token_id";
  private static final String PAD = "pad_token_id";

  public SpecialIds {
    eos = List.copyOf(eos);
  }

  static SpecialIds of(JsonObject json) {
    return new SpecialIds(id(json, BOS), eos(json), id(json, PAD));
  }

  private static OptionalInt id(JsonObject json, String key) {
    if (!json.has(key)) {
      return OptionalInt.empty();
    }
    int id = json.intValue(key, 0);
    // Some files put -1 where there is no padding token.
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  private static List<Integer> eos(JsonObject json) {
    if (!json.has(EOS)) {
      return List.of();
    }
    JsonNode value = json.node().get(EOS);
    List<Integer> ids = new ArrayList<>();
    for (JsonNode id : value.isArray() ? value : List.of(value)) {
      if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0) {
        throw json.wrong(EOS, "a token id or an array of them");
      }
      ids.add(id.intValue());
    }
    return ids;
  }

  void write(ObjectNode json) {
    bos.ifPresent(id -> json.put(BOS, id));
    if (eos.size() == 1) {
      json.put(EOS, eos.getFirst());
    } else if (eos.size() > 1) {
      eos.forEach(json.putArray(EOS)::add);
    }
    pad.ifPresent(id -> json.put(PAD, id));
  }
}
