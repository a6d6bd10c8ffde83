package dev.jqlora.cli;

import java.util.Optional;
import picocli.CommandLine.IVersionProvider;

/** What runs here. */
final class Version implements IVersionProvider {
  /** The version that the build wrote into the jar; outside a jar there is none. */
  static String number() {
    return Optional.ofNullable(Version.class.getPackage().getImplementationVersion()).orElse("development");
  }

  static String java() {
    return "%s %s (%s)".formatted(System.getProperty("java.vm.name"), System.getProperty("java.vm.version"),
        System.getProperty("java.vendor"));
  }

  static String system() {
    return "%s %s, %s, %d processors".formatted(System.getProperty("os.name"), System.getProperty("os.version"),
        System.getProperty("os.arch"), Runtime.getRuntime().availableProcessors());
  }

  @Override
  public String[] getVersion() {
    return new String[]{"jqlora " + number(), "java    " + java(), "system  " + system()};
  }
}
