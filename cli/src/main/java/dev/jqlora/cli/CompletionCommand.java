package dev.jqlora.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Prints a script for the shell. */
@Command(name = "completion", description = "Print a completion script for bash and zsh.", footer = {"", "Example:",
    "  source <(jqlora completion)"})
final class CompletionCommand implements Runnable {
  @Spec
  private CommandSpec command;

  @Override
  public void run() {
    command.commandLine().getOut().print(AutoComplete.bash("jqlora", command.root().commandLine()));
    command.commandLine().getOut().flush();
  }
}
