package dev.jqlora.training.files;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.util.regex.Pattern;

/** JSON as configurations and datasets are read: no key twice, and every message one line that names the place. */
public final class Json {
  /** The mapper; values may follow one another. */
  public static final JsonMapper MAPPER = JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .build();

  private static final Pattern SOURCE = Pattern.compile("\\s*\\((start marker|for|bound) .*", Pattern.DOTALL);

  private Json() {}

  /**
   * The one object that a text holds.
   *
   * @param where file and line, for messages
   * @throws JqloraException {@code DATA} where it is anything else
   */
  public static ObjectNode object(String text, String where) {
    try (JsonParser parser = MAPPER.createParser(text)) {
      JsonNode node = parser.nextToken() == null ? MAPPER.missingNode() : parser.readValueAsTree();
      if (!(node instanceof ObjectNode object)) {
        throw new JqloraException(Kind.DATA, where + ": expected an object {...}, got " + describe(node));
      }
      if (parser.nextToken() != null) {
        throw new JqloraException(Kind.DATA, where + ": expected one object, got more text after it");
      }
      return object;
    } catch (JsonProcessingException e) {
      throw new JqloraException(Kind.DATA, where + ": " + syntaxError(e), e);
    } catch (IOException e) {
      throw new IllegalStateException("reading a text in memory", e);
    }
  }

  /** What is wrong with a text that is not JSON. */
  public static String syntaxError(JsonProcessingException e) {
    return "JSON syntax: " + FileErrors.printable(SOURCE.matcher(String.valueOf(e.getOriginalMessage())).replaceFirst(
        ""));
  }

  /** What a message calls a value: its sort, and the value itself where it is short. */
  public static String describe(JsonNode value) {
    return switch (value.getNodeType()) {
      case ARRAY -> "a list of " + value.size();
      case OBJECT -> "an object";
      case STRING -> "the text " + FileErrors.quoted(value.textValue());
      case NULL -> "null";
      case MISSING -> "nothing";
      default -> value.toString().length() > 40 ? "a long number" : value.toString();
    };
  }
}
