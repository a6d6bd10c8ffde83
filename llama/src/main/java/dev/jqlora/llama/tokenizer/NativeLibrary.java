package dev.jqlora.llama.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * Loads the native library that DJL's {@code tokenizers} jar carries. DJL's own loader is passed by: it looks for CUDA
 * devices, may download another build, and reports the start of a tokenizer to its makers. Nothing here uses the
 * network. The library is unpacked to {@code $XDG_CACHE_HOME/jqlora/native} (by default {@code ~/.cache}), or below the
 * folder that the system property {@value #CACHE_PROPERTY} names, and checked against the jar at each start.
 */
final class NativeLibrary {
  static final String CACHE_PROPERTY = "jqlora.cache";

  private static final String RESOURCES = "native/lib/";
  private static @Nullable TokenizersLibrary loaded;

  private NativeLibrary() {}

  static synchronized TokenizersLibrary load() {
    if (loaded == null) {
      Path folder = cacheFolder().resolve("native");
      try {
        for (Path file : unpack(folder)) {
          System.load(file.toString());
        }
      } catch (IOException e) {
        throw new JqloraException(Kind.IO,
            "cannot unpack the tokenizer library below %s: %s; set XDG_CACHE_HOME to a folder that can be written"
                .formatted(folder, FileErrors.reason(e)),
            e);
      } catch (UnsatisfiedLinkError e) {
        throw new JqloraException(Kind.BACKEND, "cannot load the tokenizer library from %s: %s".formatted(folder,
            FileErrors.printable(String.valueOf(e.getMessage()))), e);
      }
      loaded = TokenizersLibrary.LIB;
    }
    return loaded;
  }

  private static Path cacheFolder() {
    String property = System.getProperty(CACHE_PROPERTY);
    if (property != null && !property.isBlank()) {
      return Path.of(property).toAbsolutePath();
    }
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base = cache == null || cache.isBlank()
        ? Path.of(System.getProperty("user.home", "."), ".cache")
        : Path.of(cache);
    return base.resolve("jqlora").toAbsolutePath();
  }

  /** The files to load, in order. */
  static List<Path> unpack(Path cache) throws IOException {
    Platform platform = Platform.current();
    Path folder = cache.resolve("tokenizers-" + version() + "-" + platform.name());
    Files.createDirectories(folder);
    for (String name : platform.libraries()) {
      unpack(RESOURCES + platform.name() + "/cpu/" + name, folder.resolve(name));
    }
    return platform.libraries().stream().map(folder::resolve).toList();
  }

  private static void unpack(String resource, Path target) throws IOException {
    byte[] library;
    try (InputStream in = resource(resource)) {
      if (in == null) {
        throw new JqloraException(Kind.BACKEND,
            "the tokenizer library has no build for this system (%s); use Linux, macOS on ARM, or Windows".formatted(
                resource));
      }
      library = in.readAllBytes();
    }
    if (Files.exists(target) && Arrays.equals(Files.readAllBytes(target), library)) {
      return;
    }
    // A name of its own, since two processes may start for the first time at once.
    Path temporary = Files.createTempFile(target.toAbsolutePath().getParent(), "unpacking", ".tmp");
    try {
      Files.write(temporary, library);
      Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static String version() throws IOException {
    Properties properties = new Properties();
    try (InputStream in = resource(RESOURCES + "tokenizers.properties")) {
      if (in != null) {
        properties.load(in);
      }
    }
    return properties.getProperty("version", "unknown");
  }

  private static @Nullable InputStream resource(String name) {
    return TokenizersLibrary.class.getClassLoader().getResourceAsStream(name);
  }

  /** An operating system and processor as the jar names them, and what must be loaded there. */
  private record Platform(String name, List<String> libraries) {
    static Platform current() {
      String system = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
      String processor = switch (System.getProperty("os.arch", "")) {
        case "amd64", "x86_64" -> "x86_64";
        case "aarch64", "arm64" -> "aarch64";
        default -> System.getProperty("os.arch", "");
      };
      String library = System.mapLibraryName("tokenizers");
      if (system.startsWith("windows")) {
        return new Platform("win-" + processor, List.of("libwinpthread-1.dll", "libgcc_s_seh-1.dll",
            "libstdc++-6.dll", library));
      }
      return new Platform((system.startsWith("mac") ? "osx-" : "linux-") + processor, List.of(library));
    }
  }
}
