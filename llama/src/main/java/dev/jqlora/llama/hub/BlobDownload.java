package dev.jqlora.llama.hub;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;

/**
 * Fetches one content into its blob, by way of {@code ETAG.incomplete}, which a later try or run goes on from. The size
 * must agree, and where the etag is a SHA-256 the content too.
 */
final class BlobDownload {
  private static final int PIECE_BYTES = 1 << 20;
  private static final int SHA256_DIGITS = 64;

  private final HubHttp http;
  private final HubApi api;
  private final DownloadProgress progress;

  BlobDownload(HubHttp http, HubApi api, DownloadProgress progress) {
    this.http = http;
    this.api = api;
    this.progress = progress;
  }

  /** Fetches a file of a commit unless its blob is there. */
  void fetch(String commit, String file, HubApi.Content content, Path blob) {
    Path incomplete = HubCache.incomplete(blob);
    try {
      if (Files.exists(blob) && Files.size(blob) == content.size()) {
        return;
      }
      Files.createDirectories(Objects.requireNonNull(blob.getParent()));
      complete(commit, file, content, incomplete);
      verify(file, content, incomplete);
      Files.move(incomplete, blob, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw FileErrors.cannotWrite(incomplete, e);
    }
  }

  private void complete(String commit, String file, HubApi.Content content, Path incomplete) throws IOException {
    int failures = 0;
    HubApi.Content current = content;
    long before = size(incomplete);
    while (before != content.size() || !Files.exists(incomplete)) {
      String failure = attempt(commit, file, current, incomplete);
      long now = size(incomplete);
      failures = now > before ? 0 : failures + 1;
      before = now;
      if (failure.isEmpty()) {
        continue;
      }
      if (failures == HubHttp.ATTEMPTS) {
        throw new JqloraException(Kind.NETWORK,
            "the download of %s stopped at %d of %d bytes (%s); run the command again to go on from there".formatted(
                file, now, content.size(), failure));
      }
      http.pause();
      current = renewed(commit, file, current);
    }
  }

  /** The content's place anew, since a signed address holds for a while only. */
  private HubApi.Content renewed(String commit, String file, HubApi.Content content) {
    HubApi.Content renewed;
    try {
      renewed = api.content(commit, file);
    } catch (IOException _) {
      return content;
    }
    if (!renewed.etag().equals(content.etag()) || renewed.size() != content.size()) {
      throw new JqloraException(Kind.NETWORK, "%s changed on the hub during its download; run the command again"
          .formatted(file));
    }
    return renewed;
  }

  /** One request; gives why it fell short, or nothing. */
  private String attempt(String commit, String file, HubApi.Content content, Path incomplete) throws IOException {
    long have = size(incomplete);
    if (have > content.size()) {
      Files.delete(incomplete);
      have = 0;
    }
    HttpResponse<InputStream> response;
    try {
      response = http.get(content.location(), have > 0
          ? Map.of("Range", "bytes=" + have + "-", "Accept-Encoding", "identity")
          : Map.of("Accept-Encoding", "identity"));
    } catch (IOException e) {
      return FileErrors.reason(e);
    }
    try (InputStream body = http.body(response)) {
      switch (response.statusCode()) {
        case 200 -> {
          Files.deleteIfExists(incomplete);
          return receive(file, content, body, incomplete, 0);
        }
        case 206 -> {
          boolean goesOn = response.headers().firstValue("Content-Range").orElse("").startsWith("bytes " + have + "-");
          if (goesOn) {
            return receive(file, content, body, incomplete, have);
          }
          Files.deleteIfExists(incomplete);
          return "the server sent another part than asked for";
        }
        case 416 -> {
          Files.deleteIfExists(incomplete);
          return "the server refused to go on";
        }
        default -> {
          if (http.isHub(response.uri())) {
            throw api.refused(commit, file, response);
          }
          return "the storage answered " + response.statusCode();
        }
      }
    }
  }

  private String receive(String file, HubApi.Content content, InputStream body, Path incomplete, long from)
      throws IOException {
    long at = from;
    byte[] piece = new byte[PIECE_BYTES];
    try (FileChannel channel = FileChannel.open(incomplete, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      while (true) {
        int count;
        try {
          count = body.read(piece);
        } catch (IOException e) {
          return FileErrors.reason(e);
        }
        if (count < 0) {
          return at == content.size() ? "" : "the connection ended early";
        }
        if (count > content.size() - at) {
          Files.delete(incomplete);
          throw new JqloraException(Kind.NETWORK, "the server sends more than the %d bytes that %s has; try again later"
              .formatted(content.size(), file));
        }
        ByteBuffer bytes = ByteBuffer.wrap(piece, 0, count);
        while (bytes.hasRemaining()) {
          at += channel.write(bytes, at);
        }
        progress.advanced(file, at, content.size());
      }
    }
  }

  private static void verify(String file, HubApi.Content content, Path incomplete) throws IOException {
    if (content.etag().length() == SHA256_DIGITS && !sha256(incomplete).equalsIgnoreCase(content.etag())) {
      Files.delete(incomplete);
      throw new JqloraException(Kind.NETWORK,
          "%s arrived damaged: its SHA-256 is not the one the hub names; it was deleted, run the command again"
              .formatted(
                  file));
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] piece = new byte[PIECE_BYTES];
      for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
        digest.update(piece, 0, count);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static long size(Path file) throws IOException {
    return Files.exists(file) ? Files.size(file) : 0;
  }
}
