package dev.jqlora.training.files;

import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Collectors;

/** Writes lines at the end of a UTF-8 file; what is written at once lies together. */
public final class LineWriter implements AutoCloseable {
  private final Path file;
  private final FileChannel channel;

  /** Opens a file, or makes an empty one. */
  public LineWriter(Path file) {
    this(file, Long.MAX_VALUE);
  }

  /** Likewise, and takes away what is there beyond so many bytes. */
  public LineWriter(Path file, long keptBytes) {
    this.file = file;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
      channel.truncate(keptBytes);
    } catch (IOException e) {
      throw FileErrors.cannotWrite(file, e);
    }
  }

  /** Appends lines that are given without their ends. */
  public void append(List<String> lines) {
    ByteBuffer bytes = StandardCharsets.UTF_8
        .encode(lines.stream().map(line -> line + "\n").collect(Collectors.joining()));
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(file, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw FileErrors.cannotWrite(file, e);
    }
  }
}
