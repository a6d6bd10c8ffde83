package dev.jqlora.training.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** How the value of a key is written, and what it becomes. */
sealed interface ValueType<T> {
  /** The value of a setting that is not {@link RawValue.Unset}; its error names key, value and {@link #expected}. */
  T read(Setting setting);

  /** What a value looks like, as it completes "expected ...". */
  String expected();

  /** How the documentation writes a value. */
  default String show(T value) {
    return value.toString();
  }

  /** The text of a scalar, or an error. */
  private static String scalar(Setting setting, ValueType<?> type) {
    if (setting.value() instanceof RawValue.Scalar(String text)) {
      return text.strip();
    }
    throw setting.expected(type.expected());
  }

  /** Any text. */
  record Text() implements ValueType<String> {
    @Override
    public String read(Setting setting) {
      if (setting.value() instanceof RawValue.Scalar(String text) && text.indexOf(0) < 0) {
        return text;
      }
      throw setting.expected(expected());
    }

    @Override
    public String expected() {
      return "one text";
    }
  }

  /** True or false, in any of YAML's spellings. */
  record Bool() implements ValueType<Boolean> {
    @Override
    public Boolean read(Setting setting) {
      return switch (scalar(setting, this).toLowerCase(Locale.ROOT)) {
        case "true", "yes", "on", "y", "t", "1" -> true;
        case "false", "no", "off", "n", "f", "0" -> false;
        default -> throw setting.expected(expected());
      };
    }

    @Override
    public String expected() {
      return "true or false";
    }
  }

  /** A whole number in a range; {@code 1e3} is one. */
  record Int(int min, int max) implements ValueType<Integer> {
    @Override
    public Integer read(Setting setting) {
      String text = scalar(setting, this);
      if (!Real.NUMBER.matcher(text).matches()) {
        throw setting.expected(expected());
      }
      double number = Double.parseDouble(text);
      if (number != Math.rint(number) || number < min || number > max) {
        throw setting.expected(expected());
      }
      return (int) number;
    }

    @Override
    public String expected() {
      return "a whole number" + (max == Integer.MAX_VALUE ? " of at least " + min : " from " + min + " to " + max);
    }
  }

  /** A finite number in a closed range. */
  record Real(double min, double max) implements ValueType<Double> {
    static final Pattern NUMBER = Pattern.compile("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?");

    @Override
    public Double read(Setting setting) {
      String text = scalar(setting, this);
      if (!NUMBER.matcher(text).matches()) {
        throw setting.expected(expected());
      }
      double number = Double.parseDouble(text);
      if (!Double.isFinite(number) || number < min || number > max) {
        throw setting.expected(expected());
      }
      return number;
    }

    @Override
    public String expected() {
      String low = min == -Double.MAX_VALUE ? "" : " of at least " + number(min);
      return "a number" + (max == Double.MAX_VALUE ? low : " from " + number(min) + " to " + number(max));
    }

    @Override
    public String show(Double value) {
      return number(value);
    }

    private static String number(double value) {
      return value == Math.rint(value) && Math.abs(value) < 1e9
          ? Long.toString((long) value)
          : Double.toString(value).toLowerCase(Locale.ROOT);
    }
  }

  /** Texts: a YAML list, or one text with commas. */
  record Texts() implements ValueType<List<String>> {
    @Override
    public List<String> read(Setting setting) {
      List<String> items = switch (setting.value()) {
        case RawValue.Scalar(String text) -> List.of(text.split(",", -1));
        case RawValue.Sequence(var elements) -> elements;
        default -> throw setting.expected(expected());
      };
      List<String> names = items.stream().map(String::strip).toList();
      if (names.isEmpty() || names.stream().anyMatch(name -> name.isEmpty() || name.indexOf(0) >= 0)) {
        throw setting.error("expected " + expected() + " without empty entries");
      }
      return names;
    }

    @Override
    public String expected() {
      return "one or more names (a, b)";
    }

    @Override
    public String show(List<String> value) {
      return String.join(", ", value);
    }
  }

  /** Numbers: a YAML list, or one text with commas. */
  record Reals(double min, double max) implements ValueType<List<Double>> {
    @Override
    public List<Double> read(Setting setting) {
      var element = new Real(min, max);
      var numbers = new ArrayList<Double>();
      for (String text : new Texts().read(setting)) {
        numbers.add(element.read(new Setting(setting.key(), new RawValue.Scalar(text), setting.origin())));
      }
      return List.copyOf(numbers);
    }

    @Override
    public String expected() {
      return "one or more numbers (0.7, 0.3)";
    }
  }

  /** Names with scalar texts: a YAML mapping, or a JSON object in one text. */
  record Options() implements ValueType<Map<String, String>> {
    @Override
    public Map<String, String> read(Setting setting) {
      RawValue value = setting.value();
      if (value instanceof RawValue.Scalar(String text) && text.strip().startsWith("{")) {
        value = SettingsReader.parse(text, setting.origin() + ": " + setting.key());
      }
      if (value instanceof RawValue.Mapping(var entries)) {
        return Map.copyOf(entries);
      }
      throw setting.expected(expected());
    }

    @Override
    public String expected() {
      return "a mapping {name: value}";
    }
  }

  /** A number of bytes with an optional unit. */
  record Bytes() implements ValueType<Long> {
    @Override
    public Long read(Setting setting) {
      return ByteSize.parse(scalar(setting, this)).orElseThrow(() -> setting.expected(expected()));
    }

    @Override
    public String expected() {
      return ByteSize.EXPECTED;
    }
  }

  /** One of a closed set of words. {@code refused} are words that LLaMA-Factory knows and this project does not do. */
  record Choice<E>(Map<String, E> accepted, Map<String, String> refused) implements ValueType<E> {
    @Override
    public E read(Setting setting) {
      String text = scalar(setting, this);
      E value = accepted.get(text.toLowerCase(Locale.ROOT));
      if (value != null) {
        return value;
      }
      String reason = refused.get(text.toLowerCase(Locale.ROOT));
      throw reason == null
          ? setting.expected(expected())
          : setting.error(text + " is not supported: " + reason + "; expected " + expected());
    }

    @Override
    public String expected() {
      return "one of " + String.join(", ", accepted.keySet());
    }

    @Override
    public String show(E value) {
      return accepted.entrySet().stream().filter(entry -> entry.getValue().equals(value)).map(Map.Entry::getKey)
          .findFirst().orElseThrow();
    }

    /** The same choice with words that are known and answered with a reason. */
    Choice<E> refusing(String reason, String... words) {
      var all = new LinkedHashMap<>(refused);
      for (String word : words) {
        all.put(word, reason);
      }
      return new Choice<>(accepted, all);
    }

    /** The same choice with another word for an accepted one. */
    Choice<E> alias(String word, E value) {
      var all = new LinkedHashMap<>(accepted);
      all.put(word, value);
      return new Choice<>(all, refused);
    }
  }

  /** A choice of an enum's constants, written in lower case. */
  static <E extends Enum<E>> Choice<E> choice(Class<E> constants) {
    var accepted = new LinkedHashMap<String, E>();
    for (E constant : constants.getEnumConstants()) {
      accepted.put(constant.name().toLowerCase(Locale.ROOT), constant);
    }
    return new Choice<>(accepted, Map.of());
  }

  /** A choice of words that stand for themselves. */
  static Choice<String> words(String... words) {
    return new Choice<>(List.of(words).stream()
        .collect(Collectors.toMap(word -> word, word -> word, (a, b) -> a, LinkedHashMap::new)), Map.of());
  }
}
