package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.training.train.MemoryPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/**
 * Keeps the planned tables of {@code docs/memory.md} equal to what {@code jqlora plan} says. Stale ones are written anew by
 * running this test with {@code -Djqlora.docs=write}.
 */
class MemoryPageTest {
  private static final Path PAGE = Shell.ROOT.resolve("docs/memory.md");
  private static final String BEGIN = "<!-- generated: begin -->\n";
  private static final String END = "<!-- generated: end -->\n";
  private static final String STAGE1 = Shell.ROOT.resolve("configs/stage1_pretrain.yaml").toString();
  private static final int[] TOKENS = {512, 1024, 2048, 4096, 8192};

  @Test
  void thePageIsWhatIsPlanned() throws IOException {
    String page = Files.readString(PAGE);
    int begin = page.indexOf(BEGIN) + BEGIN.length();
    int end = page.indexOf(END);
    String expected = page.substring(0, begin) + tables() + page.substring(end);
    if ("write".equals(System.getProperty("jqlora.docs"))) {
      Files.writeString(PAGE, expected);
    } else {
      assertEquals(expected, page, "docs/memory.md is stale; it says how to write it anew");
    }
  }

  private static String tables() {
    return byLength() + "\n" + byName();
  }

  private static JsonNode plan(String model, int tokens) {
    return Shell
        .run("plan", STAGE1, "--backend", "cpu", "--model", model, "threads=2", "--tokens", String.valueOf(tokens),
            "--json")
        .json();
  }

  private static String byLength() {
    StringBuilder table = new StringBuilder(
        """
            Device memory at the peak of `configs/stage1_pretrain.yaml` on the CPU, without a limit, by the tokens of a micro-batch:

            | model | weights | adapters, gradients, moments |""");
    StringBuilder rule = new StringBuilder("|---|---|---|");
    for (int tokens : TOKENS) {
      table.append(String.format(Locale.ROOT, " %,d |", tokens));
      rule.append("---|");
    }
    table.append('\n').append(rule).append('\n');
    for (String model : KnownConfigs.all().keySet()) {
      JsonNode first = plan(model, TOKENS[0]);
      long weights = first.at("/states/parts/0/bytes").longValue();
      long trained = first.at("/states/bytes").longValue() - weights + first.at("/pages/total_bytes").longValue();
      table.append("| ").append(model).append(" | ").append(MemoryPlan.text(weights)).append(" | ")
          .append(MemoryPlan.text(trained)).append(" |");
      for (int tokens : TOKENS) {
        table.append(' ').append(MemoryPlan.text(plan(model, tokens).get("peak_bytes").longValue())).append(" |");
      }
      table.append('\n');
    }
    return table.toString();
  }

  private static String byName() {
    JsonNode plan = plan("llama-3-8b", 1024);
    StringBuilder table = new StringBuilder("""
        Llama 3 8B at 1,024 tokens, to the byte:

        | what | bytes |
        |---|---|
        """);
    for (JsonNode part : plan.at("/states/parts")) {
      if (part.get("name").textValue().equals("weights")) {
        part.get("parts").forEach(kind -> row(table, "weights: " + kind.get("name").textValue(), kind));
      } else {
        row(table, part.get("name").textValue(), part);
      }
    }
    row(table, "pages of optimizer states", plan.at("/pages/total_bytes").longValue());
    plan.at("/programs/0/arena/parts")
        .forEach(part -> row(table, "arena of the training step: " + part.get("name").textValue(), part));
    row(table, "**peak**", plan.get("peak_bytes").longValue());
    for (JsonNode program : plan.get("programs")) {
      row(table, "(arena of " + program.get("name").textValue() + ")", program.get("arena_bytes").longValue());
    }
    row(table, "(on the host: embedding table)", plan.get("host_table_bytes").longValue());
    return table.toString();
  }

  private static void row(StringBuilder table, String name, JsonNode part) {
    row(table, name, part.get("bytes").longValue());
  }

  private static void row(StringBuilder table, String name, long bytes) {
    table.append(String.format(Locale.ROOT, "| %s | %,d |\n", name, bytes));
  }
}
