package dev.jqlora.llama.files;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A file that appears whole or not at all: it is written beside its place as {@code NAME.tmp}, forced to disk and
 * renamed by {@link #commit}. Closed without a commit, it leaves the old file as it was. A {@code .tmp} left behind by
 * a killed process is overwritten by the next write.
 */
public final class AtomicFile implements AutoCloseable {
  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private boolean committed;

  private AtomicFile(Path target, Path temporary, FileChannel channel) {
    this.target = target;
    this.temporary = temporary;
    this.channel = channel;
  }

  /** Starts a new version of a file; missing parent folders are made. */
  public static AtomicFile create(Path target) {
    try {
      Path folder = target.toAbsolutePath().getParent();
      if (folder != null) {
        Files.createDirectories(folder);
      }
      Path temporary = target.resolveSibling(target.getFileName() + ".tmp");
      return new AtomicFile(target, temporary, FileChannel.open(temporary, CREATE, WRITE, TRUNCATE_EXISTING));
    } catch (IOException e) {
      throw FileErrors.cannotWrite(target, e);
    }
  }

  /** Writes a whole small file. */
  public static void write(Path target, byte[] content) {
    try (AtomicFile file = create(target)) {
      file.writeAt(0, ByteBuffer.wrap(content));
      file.commit();
    }
  }

  /** Copies a whole small file, where it is there. */
  public static void copyIfPresent(Path source, Path target) {
    if (Files.exists(source)) {
      byte[] content;
      try {
        content = Files.readAllBytes(source);
      } catch (IOException e) {
        throw FileErrors.cannotRead(source, e);
      }
      write(target, content);
    }
  }

  /** Writes a whole small text file as UTF-8. */
  public static void write(Path target, String content) {
    write(target, content.getBytes(StandardCharsets.UTF_8));
  }

  /** Writes all that remains in the buffer, from a byte position of the file on. */
  public void writeAt(long position, ByteBuffer bytes) {
    try {
      long at = position;
      while (bytes.hasRemaining()) {
        at += channel.write(bytes, at);
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(target, e);
    }
  }

  /** Puts the file in its place. */
  public void commit() {
    try {
      channel.force(true);
      channel.close();
      try {
        Files.move(temporary, target, ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException _) {
        Files.move(temporary, target, REPLACE_EXISTING);
      }
      committed = true;
    } catch (IOException e) {
      throw FileErrors.cannotWrite(target, e);
    }
    forceFolder();
  }

  /** Makes the rename itself durable. Only some systems can open a folder for this; elsewhere the rename still holds. */
  private void forceFolder() {
    Path folder = target.toAbsolutePath().getParent();
    if (folder == null) {
      return;
    }
    try (FileChannel opened = FileChannel.open(folder, READ)) {
      opened.force(true);
    } catch (IOException _) {
      return;
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
      if (!committed) {
        Files.deleteIfExists(temporary);
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(target, e);
    }
  }
}
