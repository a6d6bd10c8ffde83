package dev.jqlora.engine.backend;

import java.util.Locale;

/**
 * What has moved between host and device for the sake of paged states.
 *
 * @param nanoseconds spent on the moves
 */
public record PagingCounts(long pagesIn, long bytesIn, long pagesOut, long bytesOut, long nanoseconds) {
  public static final PagingCounts NONE = new PagingCounts(0, 0, 0, 0, 0);

  PagingCounts movedIn(long bytes, long time) {
    return new PagingCounts(pagesIn + 1, bytesIn + bytes, pagesOut, bytesOut, nanoseconds + time);
  }

  PagingCounts movedOut(long bytes, long time) {
    return new PagingCounts(pagesIn, bytesIn, pagesOut + 1, bytesOut + bytes, nanoseconds + time);
  }

  /** The sum of two counts. */
  public PagingCounts plus(PagingCounts other) {
    return new PagingCounts(pagesIn + other.pagesIn, bytesIn + other.bytesIn, pagesOut + other.pagesOut,
        bytesOut + other.bytesOut, nanoseconds + other.nanoseconds);
  }

  /** What has moved since an earlier count. */
  public PagingCounts since(PagingCounts earlier) {
    return new PagingCounts(pagesIn - earlier.pagesIn, bytesIn - earlier.bytesIn, pagesOut - earlier.pagesOut,
        bytesOut - earlier.bytesOut, nanoseconds - earlier.nanoseconds);
  }

  /** Whether nothing has moved. */
  public boolean isNone() {
    return pagesIn == 0 && pagesOut == 0;
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%,d pages (%.1f MB) came in, %,d (%.1f MB) went out, in %.3f s", pagesIn,
        bytesIn / 1e6, pagesOut, bytesOut / 1e6, nanoseconds / 1e9);
  }
}
