package dev.jqlora.llama.hub;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpTimeoutException;
import java.time.Duration;

/**
 * The body of an answer, whose reader is not left waiting longer than the timeout: the HTTP client has no timeout for
 * bodies. A silent one is closed from another thread, which ends the read.
 */
final class WatchedBody extends FilterInputStream {
  private final Duration timeout;
  private final Thread watch;
  private volatile boolean waiting;
  private volatile long since;
  private volatile boolean silent;

  WatchedBody(InputStream body, Duration timeout) {
    super(body);
    this.timeout = timeout;
    this.watch = Thread.ofVirtual().start(this::closeWhenSilent);
  }

  private void closeWhenSilent() {
    try {
      while (!silent) {
        Thread.sleep(timeout.dividedBy(4));
        if (waiting && System.nanoTime() - since > timeout.toNanos()) {
          silent = true;
          in.close();
        }
      }
    } catch (InterruptedException | IOException _) {
      return;
    }
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    since = System.nanoTime();
    waiting = true;
    try {
      return in.read(target, offset, length);
    } catch (IOException e) {
      if (silent) {
        throw new HttpTimeoutException("nothing came for %d ms".formatted(timeout.toMillis()));
      }
      throw e;
    } finally {
      waiting = false;
    }
  }

  @Override
  public void close() throws IOException {
    watch.interrupt();
    in.close();
  }
}
