package dev.jqlora.bench.peers;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.JniUtils;
import dev.jqlora.bench.Contender;
import dev.jqlora.bench.Peer;
import dev.jqlora.bench.Task;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import java.net.URISyntaxException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** PyTorch on the CPU, through the Deep Java Library. */
public final class PyTorchPeer implements Peer {
  private static final String ENGINE = "PyTorch";

  private @Nullable PtNDManager manager;
  private String version = "";

  @Override
  public String name() {
    return ENGINE + " " + version;
  }

  /** Its native libraries are unpacked beside the jar that this is in. */
  @Override
  public void open(int threads) {
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("ENGINE_CACHE_DIR", unpacked().toString());
    try {
      Engine engine = Engine.getEngine(ENGINE);
      JniUtils.setNumThreads(threads);
      version = engine.getVersion();
      manager = (PtNDManager) NDManager.newBaseManager(Device.cpu(), ENGINE);
    } catch (EngineException | IllegalStateException | UnsatisfiedLinkError e) {
      throw new JqloraException(Kind.BACKEND, "%s cannot be loaded: %s".formatted(ENGINE, e.getMessage()), e);
    }
  }

  private static Path unpacked() {
    try {
      Path jar = Path.of(PyTorchPeer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return jar.toAbsolutePath().resolveSibling("unpacked");
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public boolean isPeerOf(String backend) {
    return !backend.equals(CublasPeer.BACKEND);
  }

  @Override
  public boolean does(Task task) {
    return true;
  }

  /** It rounds nothing, so its results are near those of a backend that does not either. */
  @Override
  public Contender prepare(Task task, Inputs inputs, DType factors) {
    if (manager == null) {
      throw new IllegalStateException("not open");
    }
    return new TorchContender(manager, TorchTask.of(task), inputs);
  }

  @Override
  public void close() {
    if (manager != null) {
      manager.close();
    }
  }
}
