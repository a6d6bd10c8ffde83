package dev.jqlora.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a run of the set gave.
 *
 * @param date of the run, as 2026-01-31
 * @param set which sizes were measured: full or quick
 * @param device what computed, where that was not the machine's processor
 * @param peer the library compared with, or null
 */
public record Report(String date, String set, Machine machine, @Nullable String device, Roofs roofs,
    @Nullable String peer,
    List<RowResult> rows) {
  private static final ObjectMapper JSON = JsonMapper.builder()
      .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

  public String toJson() {
    return JsonObject.pretty(toJsonNode());
  }

  public ObjectNode toJsonNode() {
    return JSON.valueToTree(this);
  }

  /** Reads what {@link #toJson} wrote. */
  public static Report read(Path file) {
    try {
      return JSON.readValue(Files.readString(file), Report.class);
    } catch (JsonProcessingException e) {
      throw new JqloraException(Kind.DATA, "%s is not a report of jqlora bench: %s".formatted(file,
          FileErrors.printable(e.getOriginalMessage())), e);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }
}
