package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What --backend auto takes, and what it says. */
class BackendsTest {
  /** How a backend is found. */
  private enum Found {
    ABSENT, REFUSED, FAILING, WITHOUT_GPU, WITH_GPU
  }

  private record Fake(String name, Found found) implements BackendProvider, Backend {
    @Override
    public String unavailable() {
      return switch (found) {
        case ABSENT -> "there is no driver";
        case REFUSED -> "the driver is too old: update it";
        case FAILING, WITHOUT_GPU, WITH_GPU -> "";
      };
    }

    @Override
    public boolean isInstalled() {
      return found != Found.ABSENT;
    }

    @Override
    public Backend create(int threads) {
      if (found == Found.FAILING) {
        throw new JqloraException(Kind.BACKEND, "another process holds it");
      }
      return this;
    }

    @Override
    public String device() {
      return "device of " + name;
    }

    @Override
    public Optional<GpuInfo> gpu() {
      return found == Found.WITH_GPU
          ? Optional.of(new GpuInfo("card", 1, OptionalLong.empty(), new LinkedHashMap<>()))
          : Optional.empty();
    }

    @Override
    public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
      return Support.NATIVE;
    }

    @Override
    public Session open(long memoryLimitBytes) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }

  private static void assertChosen(String expected, String line, boolean asked, Found tornado, Found cuda) {
    StringWriter err = new StringWriter();
    List<BackendProvider> providers = List.of(new Fake("reference", Found.WITH_GPU), new Fake("cpu",
        Found.WITHOUT_GPU), new Fake("tornado", tornado), new Fake("cuda", cuda));
    assertEquals(expected, Backends.choose(providers, asked, 1, new PrintWriter(err)).name());
    assertEquals(line.isEmpty() ? "" : "jqlora: backend " + line + "\n", err.toString());
  }

  @Test
  void cudaThenTornadoOnAGpuThenTheCpu() {
    assertChosen("cuda", "cuda: device of cuda", false, Found.WITH_GPU, Found.WITH_GPU);
    assertChosen("tornado", "tornado: device of tornado; not cuda: there is no driver", true, Found.WITH_GPU,
        Found.ABSENT);
    assertChosen("cpu", "cpu: device of cpu; not cuda: there is no driver; not tornado: its device is no GPU (device of"
        + " tornado)", true, Found.WITHOUT_GPU, Found.ABSENT);
  }

  /** Scripts see nothing new where nobody asked and there is no GPU; a GPU that is not used is worth a line. */
  @Test
  void unaskedItSpeaksOnlyWhereAGpuHasToDoWithIt() {
    assertChosen("cpu", "", false, Found.ABSENT, Found.ABSENT);
    assertChosen("tornado", "tornado: device of tornado", false, Found.WITH_GPU, Found.ABSENT);
    assertChosen("cpu", "cpu: device of cpu; not cuda: the driver is too old: update it", false, Found.ABSENT,
        Found.REFUSED);
    assertChosen("cpu", "cpu: device of cpu; not cuda: another process holds it", false, Found.ABSENT, Found.FAILING);
  }

  @Test
  void aNameIsTakenAtItsWord() {
    JqloraException unknown = assertThrows(JqloraException.class, () -> Backends.named("gpu"));
    assertEquals(Kind.USAGE, unknown.kind());
    Shell.run("generate", "--model", Shell.data("stories260K").toString(), "--backend", "gpu", "--prompt", "x")
        .failed(2, "--backend: there is no backend gpu", "auto", "cuda");
  }
}
