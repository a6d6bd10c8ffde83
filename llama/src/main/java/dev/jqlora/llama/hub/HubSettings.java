package dev.jqlora.llama.hub;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Where the hub is and how to speak to it.
 *
 * @param endpoint scheme, host and port, without a slash at the end
 * @param cache the folder that holds {@code models--ORG--NAME}
 * @param offline whether only the cache may be used
 * @param timeout for connecting, for an answer's head, and between pieces of its body
 * @param pause before a second try; doubled before each further one
 */
record HubSettings(URI endpoint, Path cache, Optional<AccessToken> token, boolean offline, Duration timeout,
    Duration pause) {
  private static final String DEFAULT_ENDPOINT = "https://huggingface.co";
  private static final Set<String> TRUE = Set.of("1", "on", "yes", "true");

  /** The settings that the environment variables of {@code huggingface_hub} make, and what overrides them. */
  static HubSettings of(Map<String, String> environment, Path home, Optional<Path> cache, Optional<String> token) {
    Function<String, Optional<String>> variable = name -> Optional.ofNullable(environment.get(name)).map(String::strip)
        .filter(value -> !value.isEmpty());
    Path userCache = variable.apply("XDG_CACHE_HOME").map(Path::of).orElse(home.resolve(".cache"));
    Path hubHome = variable.apply("HF_HOME").map(Path::of).orElse(userCache.resolve("huggingface"));
    Path hub = cache.or(() -> variable.apply("HF_HUB_CACHE").map(Path::of)).orElse(hubHome.resolve("hub"));
    Optional<String> secret = token.or(() -> variable.apply("HF_TOKEN")).or(() -> variable.apply(
        "HUGGING_FACE_HUB_TOKEN")).or(() -> tokenFile(hubHome.resolve("token")));
    boolean offline = variable.apply("HF_HUB_OFFLINE").filter(value -> TRUE.contains(value.toLowerCase(Locale.ROOT)))
        .isPresent();
    return new HubSettings(endpoint(variable.apply("HF_ENDPOINT").orElse(DEFAULT_ENDPOINT)), hub.toAbsolutePath(),
        secret.map(AccessToken::new), offline, Duration.ofSeconds(10), Duration.ofSeconds(1));
  }

  private static Optional<String> tokenFile(Path file) {
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try {
      return Optional.of(Files.readString(file).strip()).filter(text -> !text.isEmpty());
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  private static URI endpoint(String text) {
    try {
      URI endpoint = new URI(text.replaceFirst("/+$", ""));
      if (endpoint.getHost() != null && Set.of("http", "https").contains(String.valueOf(endpoint.getScheme()))) {
        return endpoint;
      }
    } catch (URISyntaxException _) {
      // Falls through to the same message.
    }
    throw new JqloraException(Kind.CONFIG, "HF_ENDPOINT is %s; expected an address such as %s".formatted(FileErrors
        .quoted(text), DEFAULT_ENDPOINT));
  }
}
