package dev.jqlora.training.config;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.files.Json;
import dev.jqlora.training.files.TextFiles;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.representer.Representer;

/**
 * Reads settings from a YAML or JSON file and from the command line. Only the shape is read here (keys, scalars, flat
 * lists and mappings, with their lines); scalars stay text, so that YAML's guesses about types never matter.
 */
final class SettingsReader {
  private static final long MAX_BYTES = 1 << 20;
  private static final Set<String> NULLS = Set.of("", "~", "null", "Null", "NULL");
  private static final Pattern WORD = Pattern.compile("[A-Za-z0-9_]{1,80}");

  private SettingsReader() {}

  /** The settings of a {@code .yaml}, {@code .yml} or {@code .json} file, in file order; a key may stand once. */
  static List<Setting> file(Path file) {
    String name = file.getFileName() == null ? "" : file.getFileName().toString().toLowerCase(Locale.ROOT);
    boolean json = name.endsWith(".json");
    if (!json && !name.endsWith(".yaml") && !name.endsWith(".yml")) {
      throw new JqloraException(Kind.CONFIG, file + ": expected a configuration named *.yaml, *.yml or *.json");
    }
    String text = TextFiles.read(file, MAX_BYTES, Kind.CONFIG);
    List<Setting> settings = json ? json(text, file.toString()) : yaml(text, file.toString());
    if (settings.isEmpty()) {
      throw new JqloraException(Kind.CONFIG, file + " is empty; expected lines of the form key: value");
    }
    return settings;
  }

  /**
   * The settings of command line words, each {@code key=value}, {@code --key=value}, {@code --key value} or a lone
   * {@code --key} for {@code true}. A value is written as in YAML: {@code null}, {@code [a, b]}, {@code {a: 1}}. A key
   * that stands twice has its last value. {@code map.entry=value} sets one entry of a mapping. In a key after
   * {@code --}, dashes may stand for underscores.
   */
  static List<Setting> commandLine(List<String> words) {
    var settings = new ArrayList<Setting>();
    for (int i = 0; i < words.size(); i++) {
      String word = words.get(i);
      boolean flag = word.startsWith("--");
      String body = flag ? word.substring(2) : word;
      int equals = body.indexOf('=');
      if (equals > 0) {
        String key = body.substring(0, equals);
        settings.add(commandLine(flag ? key.replace('-', '_') : key, body.substring(equals + 1)));
      } else if (flag && !body.isEmpty() && equals < 0) {
        boolean hasValue = i + 1 < words.size() && !words.get(i + 1).startsWith("--");
        settings.add(commandLine(body.replace('-', '_'), hasValue ? words.get(++i) : "true"));
      } else {
        throw new JqloraException(Kind.CONFIG,
            "command line: expected key=value or --key value, got " + FileErrors.quoted(word));
      }
    }
    return settings;
  }

  private static Setting commandLine(String key, String text) {
    String origin = "command line";
    int dot = key.indexOf('.');
    if (dot > 0) {
      String entry = word(key.substring(dot + 1), origin);
      return new Setting(word(key.substring(0, dot), origin), new RawValue.Mapping(Map.of(entry, text)), origin);
    }
    word(key, origin);
    String stripped = text.strip();
    boolean structured = stripped.startsWith("[") || stripped.startsWith("{");
    return new Setting(key, structured ? parse(text, origin + ": " + key) : scalar(text, false), origin);
  }

  /** A flat list or mapping written on one line in YAML's or JSON's brackets. */
  static RawValue parse(String text, String origin) {
    Node node = compose(text, origin);
    return node == null ? new RawValue.Unset() : value(node, origin);
  }

  private static List<Setting> yaml(String text, String file) {
    Node root = compose(text, file);
    if (root == null) {
      return List.of();
    }
    if (!(root instanceof MappingNode mapping)) {
      throw new JqloraException(Kind.CONFIG,
          file + ":" + line(root.getStartMark()) + ": expected lines of the form key: value, got "
              + (root instanceof SequenceNode ? "a list" : "one text"));
    }
    var settings = new ArrayList<Setting>();
    var lines = new LinkedHashMap<String, Integer>();
    for (var tuple : mapping.getValue()) {
      int line = line(tuple.getKeyNode().getStartMark());
      String origin = file + ":" + line;
      String key = keyText(tuple.getKeyNode(), origin);
      refuseDuplicate(lines.put(key, line), key, origin);
      settings.add(new Setting(key, value(tuple.getValueNode(), origin + ": " + key), origin));
    }
    return settings;
  }

  private static void refuseDuplicate(@Nullable Integer earlierLine, String key, String origin) {
    if (earlierLine != null) {
      throw new JqloraException(Kind.CONFIG,
          origin + ": " + FileErrors.quoted(key) + " stands already in line " + earlierLine
              + "; keep one of the two");
    }
  }

  private static @Nullable Node compose(String text, String origin) {
    var options = new LoaderOptions();
    options.setNestingDepthLimit(8);
    var yaml = new Yaml(new SafeConstructor(options), new Representer(new DumperOptions()), new DumperOptions(),
        options);
    try {
      return yaml.compose(new StringReader(text));
    } catch (MarkedYAMLException e) {
      Mark mark = e.getProblemMark();
      String place = mark == null ? origin : origin + ":" + line(mark) + ":" + (mark.getColumn() + 1);
      throw new JqloraException(Kind.CONFIG,
          place + ": YAML syntax: " + FileErrors.printable(String.valueOf(e.getProblem())), e);
    } catch (YAMLException e) {
      throw new JqloraException(Kind.CONFIG,
          origin + ": YAML syntax: " + FileErrors.printable(String.valueOf(e.getMessage())), e);
    }
  }

  private static RawValue value(Node node, String origin) {
    return switch (node) {
      case ScalarNode scalar -> scalar(scalar.getValue(), !scalar.isPlain());
      case SequenceNode sequence -> {
        var items = new ArrayList<String>();
        for (Node item : sequence.getValue()) {
          items.add(flatText(item, origin));
        }
        yield new RawValue.Sequence(List.copyOf(items));
      }
      case MappingNode mapping -> {
        var entries = new LinkedHashMap<String, String>();
        for (var tuple : mapping.getValue()) {
          String key = keyText(tuple.getKeyNode(), origin);
          if (entries.put(key, flatText(tuple.getValueNode(), origin)) != null) {
            throw new JqloraException(Kind.CONFIG, origin + ": " + FileErrors.quoted(key) + " stands twice; keep one");
          }
        }
        yield new RawValue.Mapping(entries);
      }
      default -> throw new JqloraException(Kind.CONFIG, origin + ": expected a value, a list or a mapping");
    };
  }

  private static RawValue scalar(String text, boolean quoted) {
    return !quoted && NULLS.contains(text.strip()) ? new RawValue.Unset() : new RawValue.Scalar(text);
  }

  private static String flatText(Node node, String origin) {
    if (node instanceof ScalarNode scalar) {
      return scalar.getValue();
    }
    throw new JqloraException(Kind.CONFIG, origin + ": expected plain values inside, got a nested list or mapping");
  }

  private static String keyText(Node node, String origin) {
    if (node instanceof ScalarNode scalar) {
      return word(scalar.getValue(), origin);
    }
    throw new JqloraException(Kind.CONFIG, origin + ": expected a word as the key, got a list or mapping");
  }

  private static String word(String key, String origin) {
    if (!WORD.matcher(key).matches()) {
      throw new JqloraException(Kind.CONFIG,
          origin + ": expected a key of letters, digits and _, got " + FileErrors.quoted(key));
    }
    return key;
  }

  private static int line(Mark mark) {
    return mark.getLine() + 1;
  }

  private static List<Setting> json(String text, String file) {
    var factory = JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
    try (JsonParser parser = factory.createParser(text)) {
      if (parser.nextToken() == null) {
        return List.of();
      }
      if (parser.currentToken() != JsonToken.START_OBJECT) {
        throw new JqloraException(Kind.CONFIG, file + ":1: expected an object {\"key\": value, ...}");
      }
      var settings = new ArrayList<Setting>();
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String origin = file + ":" + parser.currentTokenLocation().getLineNr();
        String key = word(parser.currentName(), origin);
        parser.nextToken();
        settings.add(new Setting(key, json(parser, origin + ": " + key), origin));
      }
      if (parser.nextToken() != null) {
        throw new JqloraException(Kind.CONFIG,
            file + ":" + parser.currentTokenLocation().getLineNr() + ": expected nothing after the closing brace");
      }
      return settings;
    } catch (JsonProcessingException e) {
      var location = e.getLocation();
      String place = location == null ? file : file + ":" + location.getLineNr() + ":" + location.getColumnNr();
      throw new JqloraException(Kind.CONFIG, place + ": " + Json.syntaxError(e),
          e);
    } catch (IOException e) {
      throw new IllegalStateException("reading a text in memory", e);
    }
  }

  private static RawValue json(JsonParser parser, String origin) throws IOException {
    return switch (parser.currentToken()) {
      case VALUE_NULL -> new RawValue.Unset();
      case START_ARRAY -> {
        var items = new ArrayList<String>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          items.add(flatText(parser, origin));
        }
        yield new RawValue.Sequence(List.copyOf(items));
      }
      case START_OBJECT -> {
        var entries = new LinkedHashMap<String, String>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String key = word(parser.currentName(), origin);
          parser.nextToken();
          entries.put(key, flatText(parser, origin));
        }
        yield new RawValue.Mapping(entries);
      }
      default -> new RawValue.Scalar(parser.getText());
    };
  }

  private static String flatText(JsonParser parser, String origin) throws IOException {
    if (parser.currentToken().isStructStart()) {
      throw new JqloraException(Kind.CONFIG, origin + ": expected plain values inside, got a nested list or mapping");
    }
    return parser.getText();
  }
}
