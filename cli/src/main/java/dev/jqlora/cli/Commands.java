package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The list of commands: a new one is a file of its own and a line here. */
final class Commands {
  private static final List<Group> GROUPS = List.of(
      new Group("Start", DemoCommand.class),
      new Group("Train", PreprocessCommand.class, InitCommand.class, PlanCommand.class,
          TrainCommand.class, EvaluateCommand.class),
      new Group("Use a model", GenerateCommand.class, ChatCommand.class, PerplexityCommand.class,
          TokenizeCommand.class, DownloadCommand.class),
      new Group("Look around", DevicesCommand.class, DoctorCommand.class, BenchCommand.class, VersionCommand.class,
          CompletionCommand.class));

  private static final int HELP_WIDTH = 100;

  private Commands() {}

  /** Commands that stand together in the help. */
  private record Group(String title, List<Class<?>> commands) {
    Group(String title, Class<?>... commands) {
      this(title, List.of(commands));
    }
  }

  @Command(name = "jqlora", description = "QLoRA fine-tuning of Llama 3 on the JVM.", versionProvider = Version.class, synopsisSubcommandLabel = "COMMAND", footer = {
      "", "Examples:", "  jqlora train configs/stage1_pretrain.yaml learning_rate=1e-4",
      "  jqlora generate --model models/Llama-3.2-1B --prompt \"The heart has\"",
      "  jqlora perplexity --model models/Llama-3.2-1B --quantization-bit 4 --file book.txt"})
  static final class Root implements Callable<Integer> {
    @Spec
    private CommandSpec command;

    @Option(names = {"-h",
        "--help"}, usageHelp = true, scope = ScopeType.INHERIT, description = "Show this help and exit.")
    boolean help;

    @Option(names = {"-V", "--version"}, versionHelp = true, description = "Show the version and exit.")
    boolean version;

    /** Without a command there is nothing to do but to say which there are. */
    @Override
    public Integer call() {
      command.commandLine().usage(command.commandLine().getErr());
      return Kind.USAGE.exitCode();
    }
  }

  static CommandLine commandLine() {
    CommandLine root = new CommandLine(new Root());
    Map<String, List<CommandLine>> groups = new LinkedHashMap<>();
    for (Group group : GROUPS) {
      List<CommandLine> members = groups.computeIfAbsent(group.title(), _ -> new ArrayList<>());
      for (Class<?> command : group.commands()) {
        CommandLine member = new CommandLine(command);
        member.getCommandSpec().usageMessage().sortOptions(false).abbreviateSynopsis(true);
        root.addSubcommand(member);
        members.add(member);
      }
    }
    root.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST_HEADING, _ -> "");
    root.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST, help -> commandList(help, groups));
    root.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_EXIT_CODE_LIST_HEADING,
        _ -> "%nExit codes:%n".formatted());
    root.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_EXIT_CODE_LIST, Commands::exitCodeList);
    return root.setUsageHelpWidth(HELP_WIDTH).setUsageHelpAutoWidth(false)
        .setExecutionExceptionHandler((e, _, _) -> Failures.report(root.getErr(), e))
        .setParameterExceptionHandler((e, _) -> Failures.report(root.getErr(), e))
        // A prompt may begin with @, which is no file of options.
        .setExpandAtFiles(false).setCaseInsensitiveEnumValuesAllowed(true).setAbbreviatedOptionsAllowed(false);
  }

  private static String commandList(Help help, Map<String, List<CommandLine>> groups) {
    StringBuilder text = new StringBuilder();
    groups.forEach((title, members) -> {
      text.append("%n%s:%n".formatted(title));
      Help.TextTable table = table(help, 14);
      for (CommandLine member : members) {
        String[] description = member.getCommandSpec().usageMessage().description();
        table.addRowValues(member.getCommandName(), description.length == 0 ? "" : description[0]);
      }
      text.append(table);
    });
    return text.toString();
  }

  private static String exitCodeList(Help help) {
    Help.TextTable table = table(help, 6);
    table.addRowValues("0", "success");
    table.addRowValues("1", "an unexpected failure, or the program could not be built");
    for (Kind kind : Kind.values()) {
      table.addRowValues(String.valueOf(kind.exitCode()), Failures.describe(kind));
    }
    table.addRowValues(String.valueOf(TrainCommand.INTERRUPTED), "training stopped by Ctrl-C or SIGTERM, and saved");
    return table.toString();
  }

  private static Help.TextTable table(Help help, int firstColumn) {
    Help.TextTable table = Help.TextTable.forColumns(help.colorScheme(),
        new Help.Column(firstColumn, 2, Help.Column.Overflow.SPAN),
        new Help.Column(HELP_WIDTH - firstColumn, 2, Help.Column.Overflow.WRAP));
    table.setAdjustLineBreaksForWideCJKCharacters(false);
    return table;
  }
}
