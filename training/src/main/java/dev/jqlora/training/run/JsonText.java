package dev.jqlora.training.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** JSON laid out as Python's {@code json} module does it. */
final class JsonText {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final Separators SEPARATORS = Separators.createDefaultInstance().withObjectFieldValueSpacing(
      Separators.Spacing.AFTER).withArrayEmptySeparator("").withObjectEmptySeparator("");

  private JsonText() {}

  /** On one line, with a space after each comma and colon. */
  static String line(JsonNode json) {
    DefaultPrettyPrinter.NopIndenter none = new DefaultPrettyPrinter.NopIndenter();
    return write(json, new DefaultPrettyPrinter(SEPARATORS.withObjectEntrySpacing(Separators.Spacing.AFTER))
        .withObjectIndenter(none).withArrayIndenter(none));
  }

  /** A line for each value, indented by so many spaces. */
  static String indented(JsonNode json, int spaces) {
    DefaultIndenter indenter = new DefaultIndenter(" ".repeat(spaces), "\n");
    return write(json, new DefaultPrettyPrinter(SEPARATORS).withObjectIndenter(indenter).withArrayIndenter(indenter));
  }

  private static String write(JsonNode json, DefaultPrettyPrinter printer) {
    try {
      return MAPPER.writer(printer).writeValueAsString(json);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not writable as JSON: " + json, e);
    }
  }
}
