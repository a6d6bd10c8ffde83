package dev.jqlora.engine.testkit;

import dev.jqlora.engine.graph.Op;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Finds the ops and their cases by looking where they are: no list names them. */
public final class CaseCatalogue {
  private static final String OPS = "dev.jqlora.engine.op";
  private static final String CASES = "dev.jqlora.engine.testkit.cases";
  private static final String SUFFIX = "Cases";

  private CaseCatalogue() {}

  /** The cases by op name, in alphabetic order. */
  public static SortedMap<String, CaseList> all() {
    SortedMap<String, CaseList> all = new TreeMap<>();
    for (String name : classNames(CASES)) {
      if (name.endsWith(SUFFIX)) {
        CaseList list = new CaseList();
        newInstance(load(CASES + "." + name)).list(list);
        all.put(name.substring(0, name.length() - SUFFIX.length()), list);
      }
    }
    return Collections.unmodifiableSortedMap(all);
  }

  /** The names of all ops, in alphabetic order. */
  public static List<String> ops() {
    return classNames(OPS).stream().filter(name -> {
      Class<?> type = load(OPS + "." + name);
      return Op.class.isAssignableFrom(type) && !type.isInterface();
    }).toList();
  }

  private static OpCases newInstance(Class<?> type) {
    try {
      var constructor = type.getDeclaredConstructor();
      constructor.setAccessible(true);
      return (OpCases) constructor.newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(type + " must implement OpCases and have a constructor without parameters", e);
    }
  }

  private static Class<?> load(String name) {
    try {
      return Class.forName(name);
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Simple names of the top-level classes of a package, from a folder or a jar. */
  private static List<String> classNames(String packageName) {
    String folder = packageName.replace('.', '/');
    URL url = CaseCatalogue.class.getClassLoader().getResource(folder + "/package-info.class");
    if (url == null) {
      throw new IllegalStateException("package " + packageName + " is not on the class path");
    }
    try {
      URI uri = url.toURI();
      if (!"jar".equals(uri.getScheme())) {
        return names(Path.of(uri).resolveSibling(""));
      }
      try (FileSystem jar = FileSystems.newFileSystem(uri, Map.of())) {
        return names(jar.getPath(folder));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".class") && !name.contains("$") && !name.contains("-"))
          .map(name -> name.substring(0, name.length() - ".class".length())).sorted().toList();
    }
  }
}
