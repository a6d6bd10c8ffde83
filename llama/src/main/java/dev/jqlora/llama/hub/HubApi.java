package dev.jqlora.llama.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the hub tells of one model: its commit, its files, and where a file's content is. */
final class HubApi {
  private static final int MAXIMUM_ANSWER_BYTES = 64 << 20;
  private static final int MAXIMUM_PAGES = 1000;
  private static final Pattern NEXT_PAGE = Pattern.compile("<([^>]*)>\\s*;[^,]*rel=\"next\"");
  private static final Pattern ETAG = Pattern.compile("(?:W/)?\"?([0-9A-Za-z][0-9A-Za-z._-]{0,199})\"?");
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HubSettings settings;
  private final HubHttp http;
  private final RepoId repo;

  /**
   * The files of a commit.
   *
   * @param sizes bytes of each file by its path
   * @param sha256 of those in large storage
   */
  record Listing(String commit, Map<String, Long> sizes, Map<String, String> sha256) {}

  /**
   * A file's content.
   *
   * @param etag names it; of files in large storage the SHA-256
   * @param location where to fetch it, for a while
   */
  record Content(String etag, long size, URI location) {}

  /** One answer to a question of which there may be more. */
  private record Page(JsonNode content, Optional<URI> next) {}

  /** Somebody answers, but not with a list, and may do so another time: what is in the cache will do meanwhile. */
  static final class Unavailable extends IOException {
    private static final long serialVersionUID = 1;

    private final JqloraException refusal;

    Unavailable(JqloraException refusal) {
      super(refusal);
      this.refusal = refusal;
    }

    /** What to say where there is nothing in the cache. */
    JqloraException refusal() {
      return refusal;
    }
  }

  HubApi(HubSettings settings, HubHttp http, RepoId repo) {
    this.settings = settings;
    this.http = http;
    this.repo = repo;
  }

  Listing list(String revision) throws IOException {
    URI address = URI.create("%s/api/models/%s/revision/%s".formatted(settings.endpoint(), repo.name(), quote(
        revision)));
    String commit = page(revision, address).content().path("sha").asText();
    if (!HubCache.COMMIT.matcher(commit).matches()) {
      throw notAHub("names no commit");
    }
    return files(commit);
  }

  private Listing files(String commit) throws IOException {
    Map<String, Long> sizes = new LinkedHashMap<>();
    Map<String, String> sha256 = new LinkedHashMap<>();
    Optional<URI> address = Optional
        .of(URI.create("%s/api/models/%s/tree/%s?recursive=true".formatted(settings.endpoint(),
            repo.name(), commit)));
    for (int i = 0; address.isPresent() && i < MAXIMUM_PAGES; i++) {
      Page page = page(commit, address.get());
      for (JsonNode item : page.content()) {
        if (item.path("type").asText().equals("file")) {
          String path = item.path("path").asText();
          sizes.put(path, item.path("size").asLong());
          if (SHA256.matcher(item.path("lfs").path("oid").asText()).matches()) {
            sha256.put(path, item.path("lfs").path("oid").asText());
          }
        }
      }
      address = page.next();
    }
    return new Listing(commit, sizes, sha256);
  }

  private Optional<URI> nextPage(HttpResponse<?> response) {
    for (String link : response.headers().allValues("Link")) {
      Matcher next = NEXT_PAGE.matcher(link);
      if (next.find()) {
        try {
          return Optional.of(response.uri().resolve(next.group(1)));
        } catch (IllegalArgumentException _) {
          throw notAHub("names a next page that is no address");
        }
      }
    }
    return Optional.empty();
  }

  Content content(String commit, String file) throws IOException {
    URI address = URI.create("%s/%s/resolve/%s/%s".formatted(settings.endpoint(), repo.name(), quote(commit), quote(
        file)));
    HttpResponse<InputStream> response = http.head(address);
    response.body().close();
    Optional<URI> location = HubHttp.location(response);
    if (response.statusCode() != 200 && location.isEmpty()) {
      throw refused(commit, file, response);
    }
    if (response.headers().firstValue("X-Repo-Commit").isEmpty()) {
      throw notAHub("gives no commit for " + file);
    }
    Matcher etag = ETAG.matcher(header(response, "X-Linked-Etag", "ETag"));
    String size = header(response, "X-Linked-Size", "Content-Length");
    if (!etag.matches() || !size.matches("\\d{1,18}")) {
      throw notAHub("gives no etag or size for " + file);
    }
    URI source = location.map(response.uri()::resolve).orElse(response.uri());
    HubHttp.requireEncryption(response.uri(), source);
    return new Content(etag.group(1), Long.parseLong(size), source);
  }

  private static String header(HttpResponse<?> response, String name, String otherName) {
    return response.headers().firstValue(name).or(() -> response.headers().firstValue(otherName)).orElse("");
  }

  private Page page(String revision, URI address) throws IOException {
    for (int attempt = 1;; attempt++) {
      HttpResponse<InputStream> response = http.get(address, Map.of());
      if (response.statusCode() != 200) {
        response.body().close();
        JqloraException refused = refused(revision, "the list of files", response);
        if (HubHttp.isTemporary(response.statusCode())) {
          throw new Unavailable(refused);
        }
        throw refused;
      }
      byte[] text;
      try (InputStream body = http.body(response)) {
        text = body.readNBytes(MAXIMUM_ANSWER_BYTES + 1);
      } catch (IOException e) {
        if (attempt == HubHttp.ATTEMPTS) {
          throw e;
        }
        http.pause();
        continue;
      }
      if (text.length > MAXIMUM_ANSWER_BYTES) {
        throw notAHub("gives a list without end");
      }
      return new Page(json(text), nextPage(response));
    }
  }

  private JsonNode json(byte[] text) throws IOException {
    try {
      return JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new Unavailable(notAHub("answers with something that is not JSON"));
    }
  }

  JqloraException refused(String revision, String what, HttpResponse<?> response) {
    return HubErrors.of(repo, revision, what, response, settings.token().isPresent());
  }

  private JqloraException notAHub(String what) {
    return new JqloraException(Kind.NETWORK, "%s %s; is HF_ENDPOINT a Hugging Face hub?".formatted(settings.endpoint()
        .getHost(), what));
  }

  private static String quote(String segment) {
    return URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20");
  }
}
