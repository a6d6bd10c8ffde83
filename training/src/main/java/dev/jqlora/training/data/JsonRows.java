package dev.jqlora.training.data;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** An array of objects, or objects one after another (JSON lines under the name {@code .json} are common). */
final class JsonRows implements RowReader {
  private final Path file;
  private final JsonParser parser;
  private boolean inArray;
  private boolean begun;

  JsonRows(Path file) {
    this.file = file;
    try {
      if (Files.isDirectory(file)) {
        throw new IOException("it is a directory; a file was expected");
      }
      this.parser = Json.MAPPER.createParser(file.toFile());
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  @Override
  public @Nullable Row next() {
    try {
      JsonToken token = parser.nextToken();
      if (!begun) {
        begun = true;
        if (token == JsonToken.START_ARRAY) {
          inArray = true;
          token = parser.nextToken();
        }
      }
      if (inArray && token == JsonToken.END_ARRAY) {
        if (parser.nextToken() != null) {
          throw new JqloraException(Kind.DATA, where() + ": expected nothing after the array's end");
        }
        return null;
      }
      return token == null ? null : row(where());
    } catch (JsonProcessingException e) {
      var location = e.getLocation();
      String place = location == null ? where() : file + ":" + location.getLineNr() + ":" + location.getColumnNr();
      throw new JqloraException(Kind.DATA, place + ": " + Json.syntaxError(e), e);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  private Row row(String where) throws IOException {
    JsonNode node = parser.readValueAsTree();
    if (node instanceof ObjectNode object) {
      return new Row(object, where);
    }
    throw new JqloraException(Kind.DATA, where + ": expected a list of objects [{...}, ...], got "
        + Json.describe(node));
  }

  private String where() {
    return file + ":" + parser.currentTokenLocation().getLineNr();
  }

  @Override
  public void close() {
    try {
      parser.close();
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }
}
