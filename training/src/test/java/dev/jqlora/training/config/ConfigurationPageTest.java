package dev.jqlora.training.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * Keeps {@code docs/configuration.md} equal to the table of keys. A stale page is written anew by running this test
 * with {@code -Djqlora.docs=write}.
 */
class ConfigurationPageTest {
  private static final Path PAGE = Path.of(System.getProperty("jqlora.root", ".."), "docs", "configuration.md");

  private static final String HEAD = """
      # Configuration

      `jqlora train FILE.yaml [key=value ...]` reads LLaMA-Factory's YAML (or JSON). Words after the file win over it;
      they are `key=value`, `--key value`, `--key=value`, a lone `--key` for true, or `map.entry=value` for one entry of a
      mapping; after `--`, dashes in a key may stand for underscores. Without a file, both stages of the recipe run and the
      words win over their files, unless `model_name_or_path` and one of `stage`, `do_train`, `do_eval` and `dataset` are
      among them: then the words are the configuration.

      - `1e-4`, `1.0e-4` and `"1e-4"` are the same number; `true`, `True`, `yes` and `on` the same truth; `null`, `~` or
        nothing mean the default. A list is `[a, b]`, lines of `- a`, or `a,b`.
      - An unknown key, a key that stands twice, a value out of range or a contradiction is one line with file, line, key
        and what was expected, and exit code 3. `ALLOW_EXTRA_ARGS=1` turns unknown keys into notices.
      - `train` refuses a configuration in which neither `do_train` nor `do_eval` is true, and says so.
      - A key without effect here is accepted, and says so once where its value is not the default.
      - A refused key may stand with its default value; any other value is an error that names what is supported.

      Where transformers 4 and 5 differ, 5 is followed: `warmup_steps` below 1 is a share of all steps, and the loss of a
      step is divided by the number of its learned tokens after the shift (the first token of a sequence is no target).

      This page is made from the table in `dev.jqlora.training.config.Keys`; a test fails when it is stale, and
      `mvn -pl training -am test -Dtest=ConfigurationPageTest -Dsurefire.failIfNoSpecifiedTests=false
      -Djqlora.docs=write` writes it anew.
      """;

  @Test
  void thePageIsThatOfTheTable() throws IOException {
    String expected = page();
    if ("write".equals(System.getProperty("jqlora.docs"))) {
      Files.createDirectories(PAGE.getParent());
      Files.writeString(PAGE, expected);
    }
    assertEquals(expected, Files.readString(PAGE), "docs/configuration.md is stale; see its last paragraph above");
  }

  @Test
  void everyRowIsComplete() {
    assertTrue(Keys.all().size() > 150, "rows: " + Keys.all().size());
    for (Key<?> key : Keys.all()) {
      assertTrue(key.name().matches("[a-z0-9_]+"), key.name());
      assertTrue(key.help().matches("[^|\n]{5,}"), key.name() + " needs one line of help");
      assertTrue(!key.defaultText().isEmpty(), key.name());
    }
  }

  private static String page() {
    var page = new StringBuilder(HEAD);
    for (Key.Group group : Key.Group.values()) {
      List<Key<?>> keys = Keys.all().stream().filter(key -> key.group() == group)
          .collect(Collectors.<Key<?>>toList());
      page.append("\n## ").append(group.title()).append('\n');
      table(page, "Supported", "value | meaning", keys, Key.Status.Supported.class,
          key -> values(key) + " | " + key.help());
      table(page, "Accepted without effect", "why", keys, Key.Status.NoEffect.class, Key::help);
      table(page, "Refused", "why, or what instead", keys, Key.Status.Refused.class, Key::help);
    }
    return page.toString();
  }

  private static void table(StringBuilder page, String title, String columns, List<Key<?>> keys,
      Class<? extends Key.Status> status, Function<Key<?>, String> cells) {
    List<Key<?>> rows = keys.stream().filter(key -> status.isInstance(key.status())).toList();
    if (rows.isEmpty()) {
      return;
    }
    page.append('\n').append(title).append(":\n\n| key | default | ").append(columns).append(" |\n");
    page.append("|---|---|").append("---|".repeat(columns.split("\\|").length)).append('\n');
    for (Key<?> key : rows) {
      page.append("| `").append(key.name()).append("` | ").append(key.defaultText()).append(" | ")
          .append(cells.apply(key)).append(" |\n");
    }
  }

  private static String values(Key<?> key) {
    return key.type() instanceof ValueType.Choice<?> choice && !choice.refused().isEmpty()
        ? key.type().expected() + "; refused: " + String.join(", ", choice.refused().keySet())
        : key.type().expected();
  }
}
