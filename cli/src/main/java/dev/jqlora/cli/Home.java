package dev.jqlora.cli;

import java.nio.file.Files;
import java.nio.file.Path;

/** The folder that jqlora was started from; the launcher says which. */
final class Home {
  private Home() {}

  /** A file or folder of jqlora's own: in the working folder, else where jqlora lies. */
  static Path find(String name) {
    Path here = Path.of(name);
    return Files.exists(here) ? here : Path.of(System.getProperty("jqlora.home", ".")).resolve(name);
  }
}
