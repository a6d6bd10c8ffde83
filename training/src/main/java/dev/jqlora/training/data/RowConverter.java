package dev.jqlora.training.data;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.config.Stage;
import dev.jqlora.training.data.DatasetEntry.Columns;
import dev.jqlora.training.data.DatasetEntry.Tags;
import dev.jqlora.training.files.Json;
import java.util.ArrayList;
import java.util.List;

/** Brings the rows of one dataset into the common form, by the columns and tags that dataset_info.json names. */
final class RowConverter {
  private final DatasetEntry entry;
  private final Columns columns;
  private final Tags tags;
  private final boolean readsAnswers;
  private final int vocabSize;

  /**
   * A converter.
   *
   * @param stage whether answers are read; stage pt takes the first user text only
   * @param vocabSize ids of tokenized rows must be below it
   */
  RowConverter(DatasetEntry entry, Stage stage, int vocabSize) {
    this.entry = entry;
    this.columns = entry.columns();
    this.tags = entry.tags();
    this.readsAnswers = stage == Stage.SFT;
    this.vocabSize = vocabSize;
  }

  /**
   * The row in the common form.
   *
   * @throws JqloraException {@code DATA} with file and line, for a missing column or a value of the wrong sort
   */
  DataRow convert(Row row) {
    return switch (entry.formatting()) {
      case ALPACA -> alpaca(row);
      case SHAREGPT, OPENAI -> messages(row);
      case TOKENIZED -> tokenized(row);
    };
  }

  private DataRow alpaca(Row row) {
    var turns = new ArrayList<String>();
    String history = columns.history();
    if (history != null) {
      addHistory(row, history, turns);
    }
    turns.add(userText(row));
    String response = columns.response();
    if (readsAnswers && response != null && row.required(response) != null) {
      turns.add(row.text(response));
    }
    return new DataRow.Conversation(List.copyOf(turns), system(row));
  }

  /** Prompt and query, those that are not empty, on lines of their own. */
  private String userText(Row row) {
    String promptColumn = columns.prompt();
    String prompt = promptColumn == null ? "" : row.text(promptColumn);
    String queryColumn = columns.query();
    boolean hasQuery = queryColumn != null && !(columns.optionalQuery() && !row.fields().has(queryColumn));
    String query = hasQuery && queryColumn != null ? row.text(queryColumn) : "";
    return prompt.isEmpty() || query.isEmpty() ? prompt + query : prompt + "\n" + query;
  }

  private String system(Row row) {
    String system = columns.system();
    return system == null ? "" : row.text(system);
  }

  private static void addHistory(Row row, String column, List<String> turns) {
    JsonNode pairs = row.required(column);
    if (pairs == null) {
      return;
    }
    for (JsonNode pair : pairs) {
      if (!pairs.isArray() || pair.size() != 2 || !pair.path(0).isTextual() || !pair.path(1).isTextual()) {
        break;
      }
      turns.add(pair.path(0).textValue());
      turns.add(pair.path(1).textValue());
    }
    if (!pairs.isArray() || turns.size() != 2 * pairs.size()) {
      throw row.error("column " + FileErrors.quoted(column) + ": expected a list of pairs [question, answer]");
    }
  }

  private DataRow messages(Row row) {
    String column = String.valueOf(columns.messages());
    JsonNode messages = row.required(column);
    if (messages == null || !messages.isArray()) {
      throw row.error("column " + FileErrors.quoted(column) + ": expected a list of messages, got "
          + (messages == null ? "null" : Json.describe(messages)));
    }
    String system = system(row);
    var turns = new ArrayList<String>();
    boolean alternates = true;
    for (int i = 0; i < messages.size(); i++) {
      String role = field(row, messages.get(i), tags.role(), i);
      String content = field(row, messages.get(i), tags.content(), i);
      if (i == 0 && role.equals(tags.system())) {
        system = content;
        continue;
      }
      if (role.equals(tags.observation()) || role.equals(tags.function())) {
        throw row.error("message " + (i + 1) + ": role " + FileErrors.quoted(role) + ": tool calls are not supported");
      }
      alternates &= role.equals(turns.size() % 2 == 0 ? tags.user() : tags.assistant());
      turns.add(content);
    }
    boolean complete = turns.size() % 2 == 0;
    return new DataRow.Conversation(alternates && complete ? List.copyOf(turns) : List.of(), system);
  }

  private static String field(Row row, JsonNode message, String name, int index) {
    JsonNode value = message.path(name);
    if (!value.isTextual()) {
      throw row.error("message " + (index + 1) + ": expected text as " + FileErrors.quoted(name) + ", got "
          + Json.describe(value));
    }
    return value.textValue();
  }

  private DataRow tokenized(Row row) {
    int[] inputIds = ids(row, String.valueOf(columns.inputIds()), 0);
    String labelColumn = columns.labels();
    int[] labels = labelColumn == null ? inputIds : ids(row, labelColumn, Example.IGNORED);
    if (labels.length != inputIds.length) {
      throw row.error("expected as many labels as input ids, got " + labels.length + " for " + inputIds.length);
    }
    return new DataRow.Tokenized(inputIds, labels);
  }

  /** The ids of a column; {@code other} is one more value that is allowed. */
  private int[] ids(Row row, String column, int other) {
    JsonNode values = row.required(column);
    if (values == null || !values.isArray() || values.isEmpty()) {
      throw row.error("column " + FileErrors.quoted(column) + ": expected a list of token ids, got "
          + (values == null ? "null" : Json.describe(values)));
    }
    int[] ids = new int[values.size()];
    for (int i = 0; i < ids.length; i++) {
      JsonNode value = values.get(i);
      boolean isId = value.isIntegralNumber() && value.canConvertToInt()
          && (value.intValue() == other || (value.intValue() >= 0 && value.intValue() < vocabSize));
      if (!isId) {
        throw row
            .error("column " + FileErrors.quoted(column) + ": entry " + (i + 1) + ": expected a token id from 0 to "
                + (vocabSize - 1) + (other < 0 ? " or " + other : "") + ", got " + Json.describe(value));
      }
      ids[i] = value.intValue();
    }
    return ids;
  }

  /** The error for a dataset whose files hold no row. */
  JqloraException noRows() {
    return new JqloraException(Kind.DATA,
        entry.origin() + ": no rows in " + entry.files().getFirst()
            + (entry.files().size() > 1 ? " and " + (entry.files().size() - 1) + " other files" : ""));
  }
}
