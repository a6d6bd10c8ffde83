package dev.jqlora.llama.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
  @TempDir
  Path cache;

  @Test
  void aDamagedCopyIsReplaced() throws IOException {
    Path library = NativeLibrary.unpack(cache).getLast();
    long size = Files.size(library);
    Files.writeString(library, "damaged");
    assertEquals(library, NativeLibrary.unpack(cache).getLast());
    assertEquals(size, Files.size(library));
    assertTrue(library.startsWith(cache));
    try (var files = Files.list(library.getParent())) {
      assertTrue(files.noneMatch(file -> file.toString().endsWith(".tmp")));
    }
  }

  @Test
  void aFileInTheWayIsAnError() throws IOException {
    Path file = Files.writeString(cache.resolve("file"), "");
    assertThrows(IOException.class, () -> NativeLibrary.unpack(file));
  }
}
