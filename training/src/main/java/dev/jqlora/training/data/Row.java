package dev.jqlora.training.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.Json;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One row of a dataset file.
 *
 * @param where the file and line that it begins in
 */
record Row(ObjectNode fields, String where) {
  /** A column's value, or null where the row has {@code null}; not having the column is an error. */
  @Nullable
  JsonNode required(String column) {
    JsonNode value = fields.get(column);
    if (value == null) {
      String present = String.join(", ", fields.propertyStream().map(Map.Entry::getKey).toList());
      throw error("no column " + FileErrors.quoted(column) + "; the row has " + FileErrors.quoted(present));
    }
    return value.isNull() ? null : value;
  }

  /** A column's text; empty where the row has {@code null}. */
  String text(String column) {
    JsonNode value = required(column);
    if (value == null) {
      return "";
    }
    if (!value.isTextual()) {
      throw error("column " + FileErrors.quoted(column) + ": expected text, got " + Json.describe(value));
    }
    return value.textValue();
  }

  JqloraException error(String complaint) {
    return new JqloraException(Kind.DATA, where + ": " + complaint);
  }
}
