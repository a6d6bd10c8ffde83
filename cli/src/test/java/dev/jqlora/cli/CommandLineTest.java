package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import picocli.CommandLine;

/** What all commands have in common. */
class CommandLineTest {
  private static final Map<String, CommandLine> COMMANDS = Commands.commandLine().getSubcommands();

  @Test
  void helpNamesEveryCommandWithItsPurposeAndEveryExitCode() {
    String help = Shell.run("--help").succeeded().out();
    assertTrue(help.startsWith("Usage: jqlora [-hV] COMMAND\nQLoRA fine-tuning of Llama 3 on the JVM.\n"), help);
    COMMANDS.forEach((name, command) -> {
      String purpose = command.getCommandSpec().usageMessage().description()[0];
      assertTrue(help.lines().anyMatch(line -> line.strip().startsWith(name + " ") && line.contains(purpose)),
          () -> "no line on " + name + " in:\n" + help);
    });
    for (Kind kind : Kind.values()) {
      assertTrue(help.contains("  %-6d%s%n".formatted(kind.exitCode(), Failures.describe(kind))), help);
    }
    assertTrue(help.contains("  %-6d%s%n".formatted(130, "training stopped by Ctrl-C or SIGTERM, and saved")), help);
  }

  @Test
  void helpNamesTheModelFirst() {
    assertEquals("""
        Usage: jqlora perplexity [OPTIONS]
        Say how well a model predicts a text.
          -m, --model=DIR            The model: a folder in the Hugging Face layout, or a name on the hub
                                       such as meta-llama/Llama-3.2-1B.
              --adapter=DIR          A LoRA adapter for it: a run's output folder or a checkpoint-N in it.
        """, Shell.run("perplexity", "--help").succeeded().out().lines().limit(5).reduce("", (text, line) -> text + line
        + "\n"));
  }

  @TestFactory
  List<DynamicTest> everyCommandExplainsItself() {
    List<DynamicTest> tests = new ArrayList<>();
    COMMANDS.forEach((name, command) -> tests.add(DynamicTest.dynamicTest(name, () -> {
      String help = Shell.run(name, "--help").succeeded().out();
      assertTrue(help.startsWith("Usage: jqlora " + name), help);
      assertTrue(help.lines().allMatch(line -> line.length() <= 100), help);
      assertTrue(help.contains("-h, --help"), help);
      command.getCommandSpec().options().forEach(option -> assertFalse(option.description().length == 0, option
          .longestName()));
      assertEquals(help, Shell.run(name, "-h").out());
    })));
    return tests;
  }

  @Test
  void withoutACommandTheHelpIsShownAsAnError() {
    Shell.Result result = Shell.run();
    assertEquals(2, result.exitCode());
    assertEquals("", result.out());
    assertEquals(Shell.run("--help").out(), result.err());
  }

  @Test
  void misspellingsAreCorrected() {
    Shell.run("generat").failed(2, "there is no generat", "did you mean generate", "jqlora --help");
    Shell.run("generate", "--modle", "x").failed(2, "there is no --modle", "did you mean --model",
        "jqlora generate --help");
    Shell.run("version", "--jsn").failed(2, "there is no --jsn", "did you mean --json");
  }

  @Test
  void wrongValuesAreOneLine() {
    Shell.run("generate").failed(2, "--model");
    Shell.run("generate", "--model", "m", "--top-k", "many").failed(2, "--top-k", "many");
    Shell.run("generate", "--model").failed(2, "--model");
  }

  @Test
  void failuresHaveTheirExitCodes() {
    for (Kind kind : Kind.values()) {
      assertEquals(kind.exitCode(), report(new JqloraException(kind, "the file is\nbroken"),
          "jqlora: error: the file is broken"));
    }
    assertEquals(6, report(new OutOfMemoryError("Java heap space"), "jqlora: error: out of memory (Java heap space)"));
    assertEquals(1, report(new StackOverflowError(), "jqlora: error: something is nested too deeply"));
    assertEquals(1, report(new IllegalStateException("odd"), "jqlora: error: unexpected IllegalStateException: odd"));
    assertEquals(1, report(new IllegalStateException(), "jqlora: error: unexpected IllegalStateException;"));
  }

  private static int report(Throwable failure, String expectedStart) {
    StringWriter err = new StringWriter();
    int exitCode = Failures.report(new PrintWriter(err), failure);
    assertEquals(1, err.toString().lines().count(), err.toString());
    assertTrue(err.toString().startsWith(expectedStart), err.toString());
    return exitCode;
  }

  @Test
  void versionTellsWhatRuns() {
    JsonNode json = Shell.run("version", "--json").json();
    assertFalse(json.get("version").textValue().isEmpty());
    assertTrue(json.get("java").textValue().contains(System.getProperty("java.vm.version")));
    assertEquals(Shell.run("version").succeeded().out(), Shell.run("--version").succeeded().out());
    assertTrue(Shell.run("version").out().startsWith("jqlora " + json.get("version").textValue() + "\n"));
  }

  @Test
  void devicesListsEveryBackend() {
    JsonNode devices = Shell.run("devices", "--json").json().get("devices");
    List<String> names = devices.findValuesAsText("backend");
    assertTrue(names.containsAll(List.of("cpu", "reference")), names.toString());
    for (JsonNode device : devices) {
      assertTrue(device.has(device.get("available").booleanValue() ? "device" : "reason"), device.toString());
    }
    assertEquals(names.size(), Shell.run("devices").succeeded().out().lines().count());
  }

  @Test
  void completionKnowsEveryCommand() {
    String script = Shell.run("completion").succeeded().out();
    assertTrue(script.startsWith("#!"), script);
    COMMANDS.keySet().forEach(name -> assertTrue(script.contains(name), name));
    assertTrue(script.contains("--quantization-bit"));
  }
}
