package dev.jqlora.llama.files;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A JSON object of a model's files with typed access: every error is one line that names the file, the key, what was
 * expected and what is there. The text must be valid UTF-8 with no key twice and nothing after the object.
 *
 * @param source the file (and the place in it) as errors name it
 */
public record JsonObject(String source, ObjectNode node) {
  private static final long FILE_BYTES = 64L << 20;
  private static final ObjectMapper MAPPER = JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  /** Reads a file of at most 64 MiB. */
  public static JsonObject read(Path file) {
    return read(file, FILE_BYTES);
  }

  public static JsonObject read(Path file, long maximumBytes) {
    return parse(file.toString(), readText(file, maximumBytes));
  }

  public static JsonObject parse(String source, String text) {
    JsonNode node;
    try (JsonParser parser = MAPPER.createParser(text)) {
      node = MAPPER.readTree(parser);
    } catch (JsonProcessingException e) {
      String where = e.getLocation() == null
          ? ""
          : " (line %d, column %d)".formatted(e.getLocation().getLineNr(), e
              .getLocation().getColumnNr());
      throw new JqloraException(Kind.MODEL, "%s is not valid JSON%s: %s; fetch the file again".formatted(source, where,
          FileErrors.printable(e.getOriginalMessage())), e);
    } catch (IOException e) {
      throw new JqloraException(Kind.MODEL, "%s is not valid JSON: %s".formatted(source, FileErrors.reason(e)), e);
    }
    if (node instanceof ObjectNode object) {
      return new JsonObject(source, object);
    }
    throw new JqloraException(Kind.MODEL,
        "%s holds %s where a JSON object was expected; fetch the file again".formatted(
            source, node == null || node.isMissingNode() ? "nothing" : describe(node)));
  }

  private static String readText(Path file, long maximumBytes) {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(Math.toIntExact(maximumBytes + 1));
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
    if (bytes.length > maximumBytes) {
      throw new JqloraException(Kind.MODEL, "%s is larger than the %d MiB that such a file may have".formatted(file,
          maximumBytes >> 20));
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new JqloraException(Kind.MODEL, "%s is not UTF-8 text; fetch the file again".formatted(file), e);
    }
  }

  /** JSON text as Python's {@code json.dump(indent=2)} lays it out, with a newline at the end. */
  public static String pretty(JsonNode node) {
    DefaultIndenter indenter = new DefaultIndenter("  ", "\n");
    Separators separators = Separators.createDefaultInstance().withObjectFieldValueSpacing(Separators.Spacing.AFTER)
        .withArrayEmptySeparator("").withObjectEmptySeparator("");
    DefaultPrettyPrinter printer = new DefaultPrettyPrinter(separators).withArrayIndenter(indenter).withObjectIndenter(
        indenter);
    try {
      return MAPPER.writer(printer).writeValueAsString(node) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not writable as JSON: " + node, e);
    }
  }

  /** Whether the key is there with a value other than null. */
  public boolean has(String key) {
    return node.hasNonNull(key);
  }

  public int positiveInt(String key) {
    if (!has(key)) {
      throw wrong(key, "a positive integer");
    }
    return positiveInt(key, 1);
  }

  public int positiveInt(String key, int whenAbsent) {
    int value = intValue(key, whenAbsent);
    if (value <= 0) {
      throw wrong(key, "a positive integer");
    }
    return value;
  }

  public int intValue(String key, int whenAbsent) {
    if (!has(key)) {
      return whenAbsent;
    }
    JsonNode value = node.get(key);
    if (!value.isIntegralNumber() || !value.canConvertToInt()) {
      throw wrong(key, "an integer of 32 bits");
    }
    return value.intValue();
  }

  /** An integer of 64 bits that is not negative; it must be there. */
  public long count(String key) {
    JsonNode value = node.path(key);
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
      throw wrong(key, "an integer from 0 on");
    }
    return value.longValue();
  }

  /** A finite number above zero. */
  public double positive(String key, double whenAbsent) {
    double value = number(key, whenAbsent);
    if (!(value > 0)) {
      throw wrong(key, "a number above 0");
    }
    return value;
  }

  public double positive(String key) {
    if (!has(key)) {
      throw wrong(key, "a number above 0");
    }
    return positive(key, 1);
  }

  /** A finite number. */
  public double number(String key, double whenAbsent) {
    if (!has(key)) {
      return whenAbsent;
    }
    JsonNode value = node.get(key);
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw wrong(key, "a finite number");
    }
    return value.doubleValue();
  }

  public boolean bool(String key, boolean whenAbsent) {
    if (!has(key)) {
      return whenAbsent;
    }
    JsonNode value = node.get(key);
    if (!value.isBoolean()) {
      throw wrong(key, "true or false");
    }
    return value.booleanValue();
  }

  public String text(String key) {
    return optionalText(key).orElseThrow(() -> wrong(key, "a string"));
  }

  public Optional<String> optionalText(String key) {
    if (!has(key)) {
      return Optional.empty();
    }
    JsonNode value = node.get(key);
    if (!value.isTextual()) {
      throw wrong(key, "a string");
    }
    return Optional.of(value.textValue());
  }

  public Optional<JsonObject> object(String key) {
    if (!has(key)) {
      return Optional.empty();
    }
    if (node.get(key) instanceof ObjectNode object) {
      return Optional.of(new JsonObject("%s: %s".formatted(source, FileErrors.quoted(key)), object));
    }
    throw wrong(key, "an object");
  }

  /** The objects of an array; none where the key is absent. */
  public List<JsonObject> objects(String key) {
    if (!has(key)) {
      return List.of();
    }
    if (!node.get(key).isArray()) {
      throw wrong(key, "an array of objects");
    }
    List<JsonObject> objects = new ArrayList<>();
    for (JsonNode element : node.get(key)) {
      String place = "%s: %s[%d]".formatted(source, FileErrors.quoted(key), objects.size());
      if (!(element instanceof ObjectNode object)) {
        throw new JqloraException(Kind.MODEL, "%s is %s; expected an object".formatted(place, describe(element)));
      }
      objects.add(new JsonObject(place, object));
    }
    return objects;
  }

  /** The error for a value that is missing or not what was expected. */
  public JqloraException wrong(String key, String expected) {
    JsonNode value = node.get(key);
    String got = value == null ? "is missing" : "is " + describe(value);
    return error("%s %s; expected %s".formatted(FileErrors.quoted(key), got, expected));
  }

  /** An error about this object. */
  public JqloraException error(String message) {
    return new JqloraException(Kind.MODEL, source + ": " + message);
  }

  /** The fields in the file's order. */
  public Iterable<Map.Entry<String, JsonNode>> fields() {
    return node.properties();
  }

  private static String describe(JsonNode value) {
    return switch (value.getNodeType()) {
      case OBJECT -> "an object";
      case ARRAY -> "an array";
      case STRING -> FileErrors.quoted(value.textValue());
      default -> FileErrors.printable(value.toString());
    };
  }
}
