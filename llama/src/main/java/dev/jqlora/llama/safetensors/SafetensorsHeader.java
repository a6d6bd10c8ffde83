package dev.jqlora.llama.safetensors;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.util.ByteBufferBackedInputStream;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The checked header of a safetensors file: an unsigned 64-bit length N, then N bytes of a JSON object that maps each
 * tensor's name to its type, shape and byte range, then the data. The ranges must tile the data without hole or
 * overlap. Rules of the reference library (huggingface/safetensors); names that stand twice are rejected besides.
 *
 * @param entries the tensors in the order of their data
 * @param dataStart byte position of the data in the file
 */
record SafetensorsHeader(Map<String, String> metadata, List<Entry> entries, long dataStart) {
  static final String METADATA_KEY = "__metadata__";
  static final int LENGTH_BYTES = 8;
  static final long MAXIMUM_BYTES = 100_000_000;
  /** Far above any model's count, and low enough that a hostile header of tiny entries does not fill the heap. */
  private static final int MAXIMUM_TENSORS = 250_000;
  private static final int MAXIMUM_RANK = 64;
  private static final JsonFactory JSON = JsonFactory.builder().streamReadConstraints(StreamReadConstraints.builder()
      .maxNestingDepth(100).maxNameLength(10_000).build()).build();
  private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** A tensor and its byte range, relative to the start of the data. */
  record Entry(TensorInfo info, long begin, long end) {}

  static SafetensorsHeader read(Path file, MemorySegment content) {
    return new Reading(file, content).header();
  }

  /** One reading of one file; the state that its error messages need. */
  private static final class Reading {
    private final Path file;
    private final MemorySegment content;
    private final long dataStart;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final List<Entry> entries = new ArrayList<>();
    private final Set<String> names = new HashSet<>();

    Reading(Path file, MemorySegment content) {
      this.file = file;
      this.content = content;
      if (content.byteSize() < LENGTH_BYTES) {
        throw damaged("the file has %d bytes; expected at least %d", content.byteSize(), LENGTH_BYTES);
      }
      long length = content.get(LENGTH, 0);
      if (length < 0 || length > MAXIMUM_BYTES) {
        throw damaged("the header claims %s bytes; expected at most %d", Long.toUnsignedString(length), MAXIMUM_BYTES);
      }
      if (length > content.byteSize() - LENGTH_BYTES) {
        throw damaged("the header claims %d bytes but the file has only %d", length, content.byteSize());
      }
      this.dataStart = LENGTH_BYTES + length;
    }

    SafetensorsHeader header() {
      InputStream bytes = new ByteBufferBackedInputStream(content.asSlice(LENGTH_BYTES, dataStart - LENGTH_BYTES)
          .asByteBuffer());
      try (Reader text = new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder());
          JsonParser json = JSON.createParser(text)) {
        if (json.nextToken() != JsonToken.START_OBJECT) {
          throw damaged("the header is no JSON object");
        }
        while (json.nextToken() != JsonToken.END_OBJECT) {
          field(json, json.currentName());
        }
        if (json.nextToken() != null) {
          throw damaged("the header goes on after its JSON object");
        }
      } catch (CharacterCodingException e) {
        throw damaged("the header is not UTF-8 text");
      } catch (JsonProcessingException e) {
        throw damaged("the header is not valid JSON: %s", FileErrors.printable(e.getOriginalMessage()));
      } catch (IOException e) {
        throw FileErrors.cannotRead(file, e);
      }
      entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
      checkTiling();
      return new SafetensorsHeader(metadata, List.copyOf(entries), dataStart);
    }

    private void field(JsonParser json, String name) throws IOException {
      if (!names.add(name)) {
        throw damaged("%s stands twice in the header", quoted(name));
      }
      json.nextToken();
      if (name.equals(METADATA_KEY)) {
        metadata(json);
        return;
      }
      if (entries.size() == MAXIMUM_TENSORS) {
        throw damaged("the header names more than %d tensors", MAXIMUM_TENSORS);
      }
      entries.add(entry(json, name));
    }

    private void metadata(JsonParser json) throws IOException {
      expect(json, JsonToken.START_OBJECT, METADATA_KEY, "an object");
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String key = json.currentName();
        json.nextToken();
        expect(json, JsonToken.VALUE_STRING, METADATA_KEY, "strings only");
        if (metadata.put(key, json.getText()) != null) {
          throw damaged("%s stands twice in %s", quoted(key), METADATA_KEY);
        }
      }
    }

    private Entry entry(JsonParser json, String name) throws IOException {
      expect(json, JsonToken.START_OBJECT, name, "an object with dtype, shape and data_offsets");
      StoredType type = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String key = json.currentName();
        json.nextToken();
        switch (key) {
          case "dtype" -> {
            once(type, name, key);
            type = type(json, name);
          }
          case "shape" -> {
            once(shape, name, key);
            shape = unsignedIntegers(json, name, key, MAXIMUM_RANK);
          }
          case "data_offsets" -> {
            once(offsets, name, key);
            offsets = unsignedIntegers(json, name, key, 2);
          }
          default -> json.skipChildren();
        }
      }
      if (type == null || shape == null || offsets == null || offsets.size() != 2) {
        throw damaged("tensor %s lacks a dtype, a shape or two data_offsets", quoted(name));
      }
      return entry(name, type, shape, offsets.getFirst(), offsets.getLast());
    }

    private Entry entry(String name, StoredType type, List<Long> shape, long begin, long end) {
      if (end < begin) {
        throw damaged("tensor %s ends at byte %d, before its begin %d", quoted(name), end, begin);
      }
      TensorInfo info;
      try {
        info = new TensorInfo(name, type, shape);
      } catch (ArithmeticException _) {
        throw damaged("tensor %s claims %s%s, which is no possible count of bytes", quoted(name), type, shape);
      }
      if (info.byteSize() != end - begin) {
        throw damaged("tensor %s is %s and takes %d bytes, but its data_offsets hold %d", quoted(name), info, info
            .byteSize(), end - begin);
      }
      return new Entry(info, begin, end);
    }

    private StoredType type(JsonParser json, String name) throws IOException {
      expect(json, JsonToken.VALUE_STRING, name, "a dtype name");
      String text = json.getText();
      return StoredType.named(text).orElseThrow(() -> damaged("tensor %s has the unknown dtype %s", quoted(name),
          quoted(text)));
    }

    private List<Long> unsignedIntegers(JsonParser json, String name, String key, int most) throws IOException {
      String expected = "an array of unsigned integers as its " + key;
      expect(json, JsonToken.START_ARRAY, name, expected);
      List<Long> values = new ArrayList<>();
      while (json.nextToken() != JsonToken.END_ARRAY) {
        expect(json, JsonToken.VALUE_NUMBER_INT, name, expected);
        if (json.getNumberType() == JsonParser.NumberType.BIG_INTEGER || json.getLongValue() < 0) {
          throw damaged("tensor %s has %s in its %s; expected 0 to %d", quoted(name), FileErrors.printable(json
              .getText()), key, Long.MAX_VALUE);
        }
        if (values.size() == most) {
          throw damaged("tensor %s has more than %d numbers in its %s", quoted(name), most, key);
        }
        values.add(json.getLongValue());
      }
      return values;
    }

    private void checkTiling() {
      long expected = 0;
      for (Entry entry : entries) {
        if (entry.begin() != expected) {
          throw damaged("tensor %s begins at byte %d of the data; expected %d (no hole, no overlap)", quoted(entry
              .info().name()), entry.begin(), expected);
        }
        expected = entry.end();
      }
      long present = content.byteSize() - dataStart;
      if (expected != present) {
        throw damaged("the tensors take %d bytes, but the file holds %d after its header%s", expected, present,
            expected > present ? " (an incomplete download?)" : "");
      }
    }

    private void once(@Nullable Object before, String name, String key) {
      if (before != null) {
        throw damaged("tensor %s has %s twice", quoted(name), key);
      }
    }

    private void expect(JsonParser json, JsonToken token, String name, String expected) throws IOException {
      if (json.currentToken() != token) {
        String got = json.currentToken() == null ? "the header's end" : FileErrors.printable(json.getText());
        throw damaged("%s has %s; expected %s", quoted(name), got, expected);
      }
    }

    private JqloraException damaged(String message, Object... arguments) {
      return new JqloraException(Kind.MODEL, "%s is not a valid safetensors file: %s; fetch or write it again"
          .formatted(file, message.formatted(arguments)));
    }
  }
}
