package dev.jqlora.training.evaluate;

import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * By what a model's or adapter's folder is recognised: names and sizes of its JSON and safetensors files, and the first
 * and last mebibyte of each. Training changes all tensors, so it changes these; a whole hash would read 16 GB.
 */
final class Fingerprint {
  private static final int END_BYTES = 1 << 20;

  private Fingerprint() {}

  static String of(Path folder) {
    var digest = new Digest();
    try (var entries = Files.list(folder)) {
      for (Path file : entries.filter(Fingerprint::counts).sorted().toList()) {
        digest.add(file.getFileName().toString());
        add(file, digest);
      }
    } catch (IOException e) {
      throw FileErrors.cannotRead(folder, e);
    }
    return digest.hex();
  }

  private static boolean counts(Path file) {
    String name = file.getFileName().toString();
    boolean decides = name.endsWith(".safetensors") || name.endsWith("config.json") || name.equals("tokenizer.json");
    return decides && Files.isRegularFile(file);
  }

  private static void add(Path file, Digest digest) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      digest.add(channel.size());
      digest.add(bytes(channel, 0));
      digest.add(bytes(channel, Math.max(0, channel.size() - END_BYTES)));
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }

  private static ByteBuffer bytes(FileChannel channel, long from) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(END_BYTES, channel.size() - from));
    while (bytes.hasRemaining() && channel.read(bytes, from + bytes.position()) >= 0) {
      continue;
    }
    return bytes.flip();
  }
}
