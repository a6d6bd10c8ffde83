package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Says what runs here. */
@Command(name = "version", description = "Show the version of jqlora, Java and the system.")
final class VersionCommand implements Runnable {
  @Mixin
  private Output output;

  @Override
  public void run() {
    ObjectNode json = output.object();
    json.put("version", Version.number()).put("java", Version.java()).put("system", Version.system());
    output.print(json, () -> {
      for (String line : new Version().getVersion()) {
        output.out().println(line);
      }
    });
  }
}
