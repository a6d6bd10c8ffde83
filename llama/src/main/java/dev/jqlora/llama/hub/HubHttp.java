package dev.jqlora.llama.hub;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Redirect;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Requests to the hub and to the hosts it sends us to: retries, redirects, and the token only where it belongs, which
 * is the hub itself. A signed address of another host is a secret too, so messages name hosts and never addresses.
 */
final class HubHttp implements AutoCloseable {
  /** Tries of one request, and of a download between two steps forward. */
  static final int ATTEMPTS = 5;

  private static final int MAXIMUM_REDIRECTS = 10;
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(5);

  private final HubSettings settings;
  private final HttpClient client;

  HubHttp(HubSettings settings) {
    this.settings = settings;
    this.client = HttpClient.newBuilder().followRedirects(Redirect.NEVER).connectTimeout(settings.timeout()).build();
  }

  boolean isHub(URI address) {
    return Objects.equals(address.getScheme(), settings.endpoint().getScheme()) && Objects.equals(address.getHost(),
        settings.endpoint().getHost()) && address.getPort() == settings.endpoint().getPort();
  }

  /** The head of a file's answer. Only redirects within the hub are followed: others tell where the content is. */
  HttpResponse<InputStream> head(URI address) throws IOException {
    return follow("HEAD", address, Map.of("Accept-Encoding", "identity"), location -> !location.isAbsolute());
  }

  /** The answer to a GET, after any redirects. */
  HttpResponse<InputStream> get(URI address, Map<String, String> headers) throws IOException {
    return follow("GET", address, headers, _ -> true);
  }

  /** What an answer holds, read with the timeout of a request between any two parts of it. */
  InputStream body(HttpResponse<InputStream> response) {
    return new WatchedBody(response.body(), settings.timeout());
  }

  private HttpResponse<InputStream> follow(String method, URI address, Map<String, String> headers,
      Predicate<URI> followed) throws IOException {
    URI current = address;
    for (int i = 0; i < MAXIMUM_REDIRECTS; i++) {
      HttpResponse<InputStream> response = sendWithRetries(method, current, headers);
      Optional<URI> location = location(response);
      if (location.isEmpty() || !followed.test(location.get())) {
        return response;
      }
      response.body().close();
      URI next = current.resolve(location.get());
      requireEncryption(current, next);
      current = next;
    }
    throw new JqloraException(Kind.NETWORK, "%s redirects more than %d times; try again later".formatted(address
        .getHost(), MAXIMUM_REDIRECTS));
  }

  /** Refuses to be sent from an encrypted address to one that is not. */
  static void requireEncryption(URI from, URI to) {
    if (Objects.equals(from.getScheme(), "https") && !Objects.equals(to.getScheme(), "https")) {
      throw new JqloraException(Kind.NETWORK, "%s redirects to an address without encryption; this is refused"
          .formatted(from.getHost()));
    }
  }

  static Optional<URI> location(HttpResponse<?> response) {
    return switch (response.statusCode()) {
      case 301, 302, 303, 307, 308 -> response.headers().firstValue("Location").map(text -> parse(response, text));
      default -> Optional.empty();
    };
  }

  private static URI parse(HttpResponse<?> response, String location) {
    try {
      return URI.create(location);
    } catch (IllegalArgumentException e) {
      throw new JqloraException(Kind.NETWORK, "%s redirects to something that is no address; try again later".formatted(
          response.uri().getHost()), e);
    }
  }

  private HttpResponse<InputStream> sendWithRetries(String method, URI address, Map<String, String> headers)
      throws IOException {
    for (int attempt = 1;; attempt++) {
      Duration pause = settings.pause().multipliedBy(1L << (attempt - 1));
      try {
        HttpResponse<InputStream> response = send(method, address, headers);
        if (!isTemporary(response.statusCode()) || attempt == ATTEMPTS) {
          return response;
        }
        response.body().close();
        pause = retryAfter(response).orElse(pause);
      } catch (ConnectException | HttpConnectTimeoutException e) {
        // Nobody is there: waiting is no help, and the cache may be.
        throw e;
      } catch (IOException e) {
        if (attempt == ATTEMPTS) {
          throw e;
        }
      }
      sleep(pause);
    }
  }

  private HttpResponse<InputStream> send(String method, URI address, Map<String, String> headers) throws IOException {
    HttpRequest.Builder request = HttpRequest.newBuilder(address).method(method, BodyPublishers.noBody()).timeout(
        settings.timeout()).header("User-Agent", "jqlora");
    headers.forEach(request::header);
    if (isHub(address)) {
      settings.token().ifPresent(token -> request.header("Authorization", token.header()));
    }
    try {
      return client.send(request.build(), BodyHandlers.ofInputStream());
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  static boolean isTemporary(int status) {
    return status == 408 || status == 429 || status >= 500;
  }

  private static Optional<Duration> retryAfter(HttpResponse<?> response) {
    return response.headers().firstValue("Retry-After").filter(text -> text.matches("\\d{1,9}")).map(Long::parseLong)
        .map(Duration::ofSeconds).map(wanted -> wanted.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : wanted);
  }

  /** Waits as long as the settings say to wait before a second try. */
  void pause() {
    sleep(settings.pause());
  }

  private static void sleep(Duration duration) {
    try {
      Thread.sleep(duration);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private static JqloraException interrupted(InterruptedException cause) {
    Thread.currentThread().interrupt();
    return new JqloraException(Kind.NETWORK, "the download was interrupted; run the command again to go on", cause);
  }

  JqloraException unreachable(IOException cause) {
    return new JqloraException(Kind.NETWORK,
        "cannot reach %s: %s; check the network, or give a local model folder".formatted(settings.endpoint().getHost(),
            cause instanceof ConnectException ? "no connection" : FileErrors.reason(cause)),
        cause);
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
