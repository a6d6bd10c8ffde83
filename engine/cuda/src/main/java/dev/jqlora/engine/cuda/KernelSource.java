package dev.jqlora.engine.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A {@code .cu} file as it stands in the jar, and the headers that it includes, directly or not.
 *
 * @param headers texts by the names that they are included by
 */
record KernelSource(String name, String text, SequencedMap<String, String> headers) {
  private static final Pattern INCLUDE = Pattern.compile("#include [\"<]([\\w.]+)[\">]");

  static KernelSource read(String stem) {
    String name = stem + ".cu";
    String text = resource(name).orElseThrow(
        () -> new IllegalStateException("there is no " + name + " among the resources"));
    SequencedMap<String, String> headers = new LinkedHashMap<>();
    collect(text, headers);
    return new KernelSource(name, text, headers);
  }

  /** Headers that are not in the jar are those of the host's compiler, which the kernels include for the tests. */
  private static void collect(String text, Map<String, String> headers) {
    Matcher include = INCLUDE.matcher(text);
    while (include.find()) {
      String name = include.group(1);
      Optional<String> header = headers.containsKey(name) ? Optional.empty() : resource(name);
      header.ifPresent(content -> {
        headers.put(name, content);
        collect(content, headers);
      });
    }
  }

  private static Optional<String> resource(String name) {
    try (InputStream stream = KernelSource.class.getResourceAsStream("source/" + name)) {
      return stream == null
          ? Optional.empty()
          : Optional.of(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
