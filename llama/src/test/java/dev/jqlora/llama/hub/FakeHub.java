package dev.jqlora.llama.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/**
 * The hub's protocol on the loopback: one server for its API and small files, another for the storage that weights are
 * redirected to, by addresses with a signature. What can go wrong on a network is switched on by fields.
 */
final class FakeHub implements AutoCloseable {
  static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  static final String REPO = "meta-llama/Llama-3.2-1B";

  /** A request that came: {@code HUB} or {@code STORAGE}, method, path, and what its headers said. */
  record Seen(String server, String method, String path, boolean authorized, String range) {}

  final Map<String, byte[]> files = new LinkedHashMap<>();
  final List<Seen> seen = Collections.synchronizedList(new ArrayList<>());
  volatile String repo = REPO;
  volatile String renamedFrom = "";
  volatile int refusal;
  volatile String refusalCode = "";
  volatile int busyAnswers;
  volatile int storageFailures;
  volatile long cutAfter = Long.MAX_VALUE;
  volatile long stallAfter = Long.MAX_VALUE;
  volatile int staleAddresses;
  volatile boolean ignoresRange;
  volatile boolean refusesRange;
  volatile boolean sendsOtherRange;
  volatile boolean damages;
  volatile boolean lengthens;
  volatile long claimedSize = -1;
  volatile boolean withoutCommit;
  volatile boolean notJson;
  volatile int silentLists;

  private final HttpServer hub;
  private final HttpServer storage;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

  FakeHub() throws IOException {
    hub = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    storage = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    hub.createContext("/", exchange -> answer(exchange, "HUB"));
    storage.createContext("/", exchange -> answer(exchange, "STORAGE"));
    for (HttpServer server : List.of(hub, storage)) {
      server.setExecutor(threads);
      server.start();
    }
    put("config.json", "{}");
    put("tokenizer.json", "{\"a\": 1}");
    put("tokenizer_config.json", "{}");
    put("model.safetensors", "weights ".repeat(50_000));
    put("original/consolidated.00.pth", "not wanted");
    put("README.md", "not wanted");
  }

  void put(String file, String content) {
    files.put(file, content.getBytes(StandardCharsets.UTF_8));
  }

  URI endpoint() {
    return address(hub);
  }

  long count(String server, String method, String part) {
    return seen.stream().filter(s -> s.server.equals(server) && s.method.equals(method) && s.path.contains(part))
        .count();
  }

  private static URI address(HttpServer server) {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  private void answer(HttpExchange exchange, String server) throws IOException {
    String path = exchange.getRequestURI().toString();
    String range = exchange.getRequestHeaders().getFirst("Range");
    seen.add(new Seen(server, exchange.getRequestMethod(), path, exchange.getRequestHeaders().containsKey(
        "Authorization"), range == null ? "" : range));
    try (exchange) {
      if (server.equals("STORAGE")) {
        answerStorage(exchange, path, range);
      } else {
        answerHub(exchange, path);
      }
    }
  }

  private void answerHub(HttpExchange exchange, String path) throws IOException {
    if (busyAnswers > 0) {
      busyAnswers--;
      exchange.getResponseHeaders().set("Retry-After", "0");
      exchange.sendResponseHeaders(429, -1);
    } else if (refusal != 0) {
      if (!refusalCode.isEmpty()) {
        exchange.getResponseHeaders().set("X-Error-Code", refusalCode);
      }
      exchange.getResponseHeaders().set("X-Error-Message", "some message");
      exchange.sendResponseHeaders(refusal, -1);
    } else if (!renamedFrom.isEmpty() && path.contains(renamedFrom)) {
      exchange.getResponseHeaders().set("Location", path.replace(renamedFrom, repo));
      exchange.sendResponseHeaders(307, -1);
    } else if (path.startsWith("/api/models/") && silentLists > 0) {
      silentLists--;
      exchange.sendResponseHeaders(200, 100);
      exchange.getResponseBody().write("{".getBytes(StandardCharsets.UTF_8));
      exchange.getResponseBody().flush();
      pauseForever();
    } else if (path.startsWith("/api/models/" + repo + "/revision/")) {
      send(exchange, 200, notJson ? "<html>" : "{\"sha\": \"" + COMMIT + "\"}");
    } else if (path.startsWith("/api/models/" + repo + "/tree/" + COMMIT)) {
      listPage(exchange);
    } else if (path.startsWith("/" + repo + "/resolve/" + COMMIT + "/")) {
      resolve(exchange, path.substring(path.lastIndexOf('/') + 1));
    } else {
      exchange.getResponseHeaders().set("X-Error-Code", "RevisionNotFound");
      exchange.sendResponseHeaders(404, -1);
    }
  }

  /** One file a page, so that the listing must be followed. */
  private void listPage(HttpExchange exchange) throws IOException {
    List<String> names = List.copyOf(files.keySet());
    String query = exchange.getRequestURI().getQuery();
    int page = query.contains("cursor=") ? Integer.parseInt(query.replaceAll(".*cursor=", "")) : 0;
    if (page + 1 < names.size()) {
      exchange.getResponseHeaders().set("Link", "<%s/api/models/%s/tree/%s?recursive=true&cursor=%d>; rel=\"next\""
          .formatted(endpoint(), repo, COMMIT, page + 1));
    }
    String items = names.subList(page, page + 1).stream().map(
        name -> "{\"type\": \"file\", \"path\": \"%s\", \"lfs\": {\"oid\": \"%s\"}, \"size\": %d}".formatted(name,
            name.endsWith(".safetensors") ? sha256(files.getOrDefault(name, new byte[0])) : "", claimedSize >= 0
                ? claimedSize
                : content(name).length))
        .collect(Collectors.joining(", "));
    send(exchange, 200, "[{\"type\": \"directory\", \"path\": \"original\"}, " + items + "]");
  }

  private void resolve(HttpExchange exchange, String file) throws IOException {
    byte[] content = content(file);
    if (!withoutCommit) {
      exchange.getResponseHeaders().set("X-Repo-Commit", COMMIT);
    }
    if (file.endsWith(".safetensors")) {
      exchange.getResponseHeaders().set("X-Linked-Etag", "\"" + sha256(content) + "\"");
      exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(content.length));
      exchange.getResponseHeaders().set("Location",
          address(storage) + "/" + file + "?signature=" + (staleAddresses > 0 ? "old" : "new"));
      staleAddresses = Math.max(0, staleAddresses - 1);
      exchange.sendResponseHeaders(302, -1);
    } else {
      exchange.getResponseHeaders().set("ETag", "W/\"" + sha256(content).substring(0, 40) + "\"");
      if (exchange.getRequestMethod().equals("HEAD")) {
        exchange.getResponseHeaders().set("Content-Length", String.valueOf(content.length));
        exchange.sendResponseHeaders(200, -1);
      } else {
        send(exchange, 200, new String(content, StandardCharsets.UTF_8));
      }
    }
  }

  private void answerStorage(HttpExchange exchange, String path, String range) throws IOException {
    if (exchange.getRequestHeaders().containsKey("Authorization") || !path.endsWith("signature=new")) {
      exchange.sendResponseHeaders(403, -1);
      return;
    }
    if (storageFailures > 0) {
      storageFailures--;
      exchange.sendResponseHeaders(404, -1);
      return;
    }
    byte[] content = content(path.substring(1, path.indexOf('?'))).clone();
    if (damages) {
      content[content.length / 2] ^= 1;
    }
    int from = range == null || ignoresRange ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
    if (range != null && refusesRange) {
      exchange.sendResponseHeaders(416, -1);
      return;
    }
    int length = content.length - from + (lengthens ? 10 : 0);
    if (from > 0) {
      exchange.getResponseHeaders().set("Content-Range", "bytes %d-%d/%d".formatted(sendsOtherRange ? 0 : from,
          content.length - 1, content.length));
    }
    exchange.sendResponseHeaders(from > 0 ? 206 : 200, length);
    OutputStream body = exchange.getResponseBody();
    int sent = (int) Math.min(Math.min(cutAfter, stallAfter), content.length - from);
    body.write(content, from, sent);
    if (lengthens) {
      body.write(new byte[10]);
    }
    body.flush();
    if (sent == stallAfter) {
      stallAfter = Long.MAX_VALUE;
      pauseForever();
    }
  }

  private static void pauseForever() {
    try {
      Thread.sleep(60_000);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  private byte[] content(String file) {
    return files.getOrDefault(file, new byte[0]);
  }

  private static void send(HttpExchange exchange, int status, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    hub.stop(0);
    storage.stop(0);
    threads.shutdownNow();
  }
}
