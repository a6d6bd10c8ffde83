package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.JsonObject;
import java.io.PrintWriter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The option {@code --json}, and where a command's results go: one object, or text for people. */
final class Output {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(names = "--json", description = "Print one JSON object instead of text.")
  private boolean json;

  boolean json() {
    return json;
  }

  PrintWriter out() {
    return command.commandLine().getOut();
  }

  /** For what is no result: progress, notices, prompts. */
  PrintWriter err() {
    return command.commandLine().getErr();
  }

  ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  /** Prints the object if {@code --json} was given, the text otherwise. */
  void print(ObjectNode object, Runnable text) {
    if (json) {
      out().print(JsonObject.pretty(object));
    } else {
      text.run();
    }
    out().flush();
  }
}
