package dev.jqlora.bench.peers;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A function in TorchScript: what a PyTorch user would write, and what its interpreter runs. The archive is a zip of the
 * code and of two pickles, as {@code torch.jit.save} writes it: a module without weights, and no constants.
 *
 * @param parameters of the function, all tensors
 * @param body its lines, the last one a return of a tensor
 */
record TorchScript(List<String> parameters, String body) {
  /** Protocol 2: an object of class {@code __torch__.Peer} whose state is {@code {"training": False}}. */
  private static final byte[] MODULE = "\u0080\u0002c__torch__\nPeer\n)\u0081}X\u0008\0\0\0training\u0089sb.".getBytes(
      StandardCharsets.ISO_8859_1);
  /** Protocol 2: an empty tuple. */
  private static final byte[] NO_CONSTANTS = "\u0080\u0002).".getBytes(StandardCharsets.ISO_8859_1);
  /** Of the format; 10 is the newest that PyTorch 2.7 writes. */
  private static final String VERSION = "10\n";

  private String code() {
    String arguments = parameters.stream().map(name -> ", %s: Tensor".formatted(name)).collect(Collectors.joining());
    return """
        class Peer(Module):
          __parameters__ = []
          __buffers__ = []
          training : bool
          def forward(self: __torch__.Peer%s) -> Tensor:
        %s""".formatted(arguments, body.indent(4));
  }

  InputStream archive() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      write(zip, "data.pkl", MODULE);
      write(zip, "code/__torch__.py", code().getBytes(StandardCharsets.UTF_8));
      write(zip, "constants.pkl", NO_CONSTANTS);
      write(zip, "version", VERSION.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new ByteArrayInputStream(bytes.toByteArray());
  }

  private static void write(ZipOutputStream zip, String name, byte[] content) throws IOException {
    zip.putNextEntry(new ZipEntry("peer/" + name));
    zip.write(content);
    zip.closeEntry();
  }
}
