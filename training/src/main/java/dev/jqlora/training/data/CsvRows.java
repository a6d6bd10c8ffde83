package dev.jqlora.training.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.TextFiles;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Values between commas under a header line; an empty value is {@code null}, as pandas reads it. */
final class CsvRows implements RowReader {
  private static final CsvMapper CSV = CsvMapper.builder().enable(CsvParser.Feature.WRAP_AS_ARRAY)
      .enable(CsvParser.Feature.SKIP_EMPTY_LINES).build();

  private final Path file;
  private final MappingIterator<String[]> records;
  private final List<String> header;

  CsvRows(Path file) {
    this.file = file;
    try {
      this.records = CSV.readerFor(String[].class).readValues(TextFiles.reader(file));
    } catch (CharacterCodingException e) {
      throw TextFiles.notUtf8(file + ":1", e);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
    String[] first = record();
    this.header = first == null ? List.of() : Arrays.stream(first).map(String::strip).toList();
    if (header.stream().distinct().count() != header.size()) {
      throw new JqloraException(Kind.DATA,
          file + ":1: a column stands twice in the header " + FileErrors.quoted(String.join(",", header)));
    }
  }

  @Override
  public @Nullable Row next() {
    String where = where();
    String[] values = record();
    if (values == null) {
      return null;
    }
    if (values.length != header.size()) {
      throw new JqloraException(Kind.DATA, where + ": expected " + header.size() + " values as in the header, got "
          + values.length + "; quote values that hold commas or line ends");
    }
    ObjectNode fields = Json.MAPPER.createObjectNode();
    for (int i = 0; i < values.length; i++) {
      fields.put(header.get(i), values[i].isEmpty() ? null : values[i]);
    }
    return new Row(fields, where);
  }

  private String @Nullable [] record() {
    try {
      return records.hasNextValue() ? records.nextValue() : null;
    } catch (CharacterCodingException e) {
      throw TextFiles.notUtf8(where(), e);
    } catch (JsonProcessingException e) {
      throw new JqloraException(Kind.DATA, where() + ": CSV syntax: " + FileErrors.printable(e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  private String where() {
    return file + ":" + records.getCurrentLocation().getLineNr();
  }

  @Override
  public void close() {
    try {
      records.close();
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }
}
