package dev.jqlora.training.run;

import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * By what a file is recognised as unchanged: against truncation and flipped bits, not against intent.
 *
 * @param crc32c of the whole file, 8 hexadecimal digits
 */
record FileMark(long bytes, String crc32c) {
  private static final int BUFFER_BYTES = 1 << 20;

  static FileMark of(Path file) {
    CRC32C checksum = new CRC32C();
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
    long bytes = 0;
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      while (channel.read(buffer) >= 0) {
        buffer.flip();
        bytes += buffer.remaining();
        checksum.update(buffer);
        buffer.clear();
      }
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
    return new FileMark(bytes, hexadecimal(checksum));
  }

  static String hexadecimal(CRC32C checksum) {
    return "%08x".formatted(checksum.getValue());
  }
}
