package dev.jqlora.cli;

import dev.jqlora.bench.Peer;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Stream;

/** The libraries that are measured beside ours: built by the profile peers alone, and no part of the class path. */
final class Peers {
  private static final String BUILD = "mvn -q -Ppeers -Dquick -DskipTests package";

  private Peers() {}

  /**
   * Takes JCuda from its own files, whatever the class path has: JCuda looks for its native parts where its classes are.
   */
  private static final class Loader extends URLClassLoader {
    static {
      registerAsParallelCapable();
    }

    Loader(URL[] jars) {
      super("peers", jars, Peers.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (!name.startsWith("jcuda.")) {
        return super.loadClass(name, resolve);
      }
      synchronized (getClassLoadingLock(name)) {
        Class<?> there = findLoadedClass(name);
        return there == null ? findClass(name) : there;
      }
    }
  }

  /** Loads a backend's peer with its own libraries, which stay for as long as the process runs. */
  static Peer load(String backend) {
    Path folder = Home.find("training/bench/peers/target/lib");
    if (!Files.isDirectory(folder)) {
      throw new JqloraException(Kind.BACKEND, "--peers: %s is not there; build it once: %s".formatted(folder, BUILD));
    }
    ClassLoader loader = new Loader(jars(folder));
    // PyTorch's library looks for its parts where its thread does.
    Thread.currentThread().setContextClassLoader(loader);
    return ServiceLoader.load(Peer.class, loader).stream().map(ServiceLoader.Provider::get)
        .filter(peer -> peer.isPeerOf(backend)).findFirst().orElseThrow(() -> new JqloraException(Kind.BACKEND,
            "--peers: %s holds none for the backend %s; build it anew: %s".formatted(folder, backend, BUILD)));
  }

  private static URL[] jars(Path folder) {
    List<URL> jars = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(path -> path.toString().endsWith(".jar")).sorted().toList()) {
        jars.add(file.toUri().toURL());
      }
    } catch (MalformedURLException e) {
      throw new IllegalStateException(e);
    } catch (IOException e) {
      throw FileErrors.cannotRead(folder, e);
    }
    return jars.toArray(URL[]::new);
  }
}
