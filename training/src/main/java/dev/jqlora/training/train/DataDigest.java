package dev.jqlora.training.train;

import dev.jqlora.training.data.Example;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** A fingerprint of token sequences: equal for equal data, whatever files it came from. */
final class DataDigest {
  private DataDigest() {}

  /** SHA-256 over ids, labels and segments, the first 16 hexadecimal digits. */
  static String of(List<Example> examples) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Example example : examples) {
        update(digest, example.inputIds());
        update(digest, example.labels());
        update(digest, example.segmentStarts());
      }
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static void update(MessageDigest digest, int[] values) {
    ByteBuffer bytes = ByteBuffer.allocate((values.length + 1) * Integer.BYTES);
    bytes.putInt(values.length);
    bytes.asIntBuffer().put(values);
    digest.update(bytes.array());
  }
}
