package dev.jqlora.engine.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The compiled kernels of one source file as they stand in the jar, and what each takes.
 *
 * @param parameters the types of each kernel's parameters by its name
 */
record PtxModule(String name, String text, Map<String, List<Parameter>> parameters) {
  private static final Pattern ENTRY = Pattern.compile("\\.entry\\s+(\\w+)\\s*\\(([^)]*)\\)");
  private static final Pattern PARAMETER = Pattern.compile("\\.param\\s+\\.([a-z]+)(\\d+)");

  /** The type of a kernel's parameter. */
  enum Parameter {
    INT, LONG, FLOAT;

    static Parameter of(String kind, int bits) {
      if (kind.equals("f") && bits == 32) {
        return FLOAT;
      }
      return switch (bits) {
        case 32 -> INT;
        case 64 -> LONG;
        default -> throw new IllegalStateException("a parameter of type %s%d".formatted(kind, bits));
      };
    }

    boolean fits(Object argument) {
      return switch (this) {
        case INT -> argument instanceof Integer;
        case LONG -> argument instanceof Long;
        case FLOAT -> argument instanceof Float;
      };
    }
  }

  static PtxModule read(String name) {
    String resource = "ptx/" + name + ".ptx";
    try (InputStream stream = PtxModule.class.getResourceAsStream(resource)) {
      if (stream == null) {
        throw new IllegalStateException("there is no " + resource + " among the resources");
      }
      return parse(name, new String(stream.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static PtxModule parse(String name, String text) {
    Map<String, List<Parameter>> parameters = new HashMap<>();
    Matcher entry = ENTRY.matcher(text);
    while (entry.find()) {
      List<Parameter> types = new ArrayList<>();
      Matcher parameter = PARAMETER.matcher(entry.group(2));
      while (parameter.find()) {
        types.add(Parameter.of(parameter.group(1), Integer.parseInt(parameter.group(2))));
      }
      parameters.put(entry.group(1), List.copyOf(types));
    }
    return new PtxModule(name, text, Map.copyOf(parameters));
  }

  /** The text as the driver takes it. */
  byte[] image() {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  /** Throws IllegalArgumentException unless a kernel takes arguments like these. */
  void check(String kernel, Object... arguments) {
    List<Parameter> types = parameters.get(kernel);
    if (types == null) {
      throw new IllegalArgumentException("%s.cu has no kernel %s".formatted(name, kernel));
    }
    boolean fits = types.size() == arguments.length;
    for (int i = 0; fits && i < arguments.length; i++) {
      fits = types.get(i).fits(arguments[i]);
    }
    if (!fits) {
      throw new IllegalArgumentException("%s takes %s, got %s".formatted(kernel, types, Arrays.toString(arguments)));
    }
  }
}
