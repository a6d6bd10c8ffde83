package dev.jqlora.training.run;

import static java.nio.file.StandardOpenOption.READ;

import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Whole folders: listed, renamed, forced to disk, deleted. */
final class FolderFiles {
  private FolderFiles() {}

  /** The entries of a folder in the order of their names; none where there is no folder. */
  static List<Path> list(Path folder) {
    List<Path> entries = new ArrayList<>();
    if (!Files.isDirectory(folder)) {
      return entries;
    }
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
      stream.forEach(entries::add);
    } catch (IOException e) {
      throw FileErrors.cannotRead(folder, e);
    }
    entries.sort(null);
    return entries;
  }

  /** Where a path leads, links followed; where there is nothing, the path by itself. */
  static Path real(Path path) {
    try {
      return path.toRealPath();
    } catch (IOException _) {
      return path.toAbsolutePath().normalize();
    }
  }

  static void create(Path folder) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw FileErrors.cannotWrite(folder, e);
    }
  }

  static void rename(Path folder, Path target) {
    try {
      Files.move(folder, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw FileErrors.cannotWrite(target, e);
    }
  }

  /** Forces the files of a folder to disk, and then the folder itself. */
  static void force(Path folder) {
    for (Path file : list(folder)) {
      try (FileChannel channel = FileChannel.open(file, READ)) {
        channel.force(true);
      } catch (IOException e) {
        throw FileErrors.cannotWrite(file, e);
      }
    }
    forceEntries(folder);
  }

  /** Makes renames within a folder durable; only some systems can open a folder for this. */
  static void forceEntries(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, READ)) {
      channel.force(true);
    } catch (IOException _) {
      return;
    }
  }

  /** Deletes a file, or a folder with all that is in it; links are deleted, not followed. */
  static void delete(Path path) {
    try {
      Files.walkFileTree(path, new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
          Files.delete(file);
          return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure) throws IOException {
          if (failure != null) {
            throw failure;
          }
          Files.delete(folder);
          return FileVisitResult.CONTINUE;
        }
      });
    } catch (IOException e) {
      throw FileErrors.cannotWrite(path, e);
    }
  }
}
