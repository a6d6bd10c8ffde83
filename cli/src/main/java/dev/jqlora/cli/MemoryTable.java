package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.training.train.MemoryAdvice;
import dev.jqlora.training.train.MemoryPlan;
import dev.jqlora.training.train.MemoryPlan.Part;
import dev.jqlora.training.train.MemoryPlan.ProgramMemory;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/** A memory plan for people, and for programs. */
record MemoryTable(MemoryPlan plan, List<MemoryAdvice.Option> advice) {
  private static final String WEIGHTS = "weights";
  /** Levels of the weights that people see: down to the codes and scales of each projection. */
  private static final int WEIGHT_LEVELS = 4;

  /** Prints line by line. */
  void print(Consumer<String> lines) {
    row(plan.states().name(), plan.states().bytes(), 0, lines);
    plan.states().parts().forEach(part -> part(part, 1, part.name().equals(WEIGHTS) ? WEIGHT_LEVELS : 1, lines));
    if (plan.pages().totalBytes() > 0) {
      row("pages of optimizer states", plan.pages().residentBytes(), 0, lines);
      row("all of them", plan.pages().totalBytes(), 1, lines);
      row("the most at once", plan.pages().leastBytes(), 1, lines);
    }
    row("arena, shared by the programs", plan.arenaBytes(), 0, lines);
    for (ProgramMemory program : plan.programs()) {
      String tokens = program.tokens() == 0 ? "" : String.format(Locale.ROOT, ", %,d tokens", program.tokens());
      row(program.name() + tokens, program.arenaBytes(), 1, lines);
      program.arena().parts().forEach(part -> row(part.name(), part.bytes(), 2, lines));
    }
    if (plan.layoutBytes() > 0) {
      row("headers, offsets and exchange", plan.layoutBytes(), 0, lines);
    }
    if (plan.overheadBytes() > 0) {
      row("backend", plan.overheadBytes(), 0, lines);
    }
    row("device memory at the peak", plan.peakBytes(), 0, lines);
    if (plan.leastBytes() < plan.peakBytes() || !plan.fits()) {
      row("least with which it runs", plan.leastBytes(), 0, lines);
    }
    if (plan.isLimited()) {
      row("limit", plan.limitBytes(), 0, lines);
    }
    if (plan.hostTableBytes() > 0) {
      row("on the host: embedding table", plan.hostTableBytes(), 0, lines);
    }
    if (plan.pages().residentBytes() < plan.pages().totalBytes()) {
      row("on the host: pages", plan.pages().totalBytes() - plan.pages().residentBytes(), 0, lines);
    }
    verdict(lines);
  }

  private void verdict(Consumer<String> lines) {
    if (!plan.isLimited()) {
      return;
    }
    lines.accept("");
    long difference = plan.limitBytes() - plan.leastBytes();
    if (plan.fits()) {
      lines.accept("It fits: %s to spare beside the least.".formatted(MemoryPlan.text(difference)));
      return;
    }
    lines.accept("It does not fit: %s too much. To try, in this order:".formatted(MemoryPlan.text(-difference)));
    for (MemoryAdvice.Option option : advice) {
      lines.accept("  %s".formatted(option.setting()));
      String saved = MemoryPlan.text(option.savedBytes());
      lines.accept("    %s; with what is above it takes %s%s (%s)".formatted(
          option.alone() ? "alone saves " + saved : "saves " + saved + " of what is left",
          MemoryPlan.text(option.leastBytes()), option.fits() ? " and fits" : "", option.effect()));
    }
    if (advice.isEmpty() || !advice.getLast().fits()) {
      lines.accept("  None of it is enough: choose a smaller model or a larger device.");
    }
  }

  private static void part(Part part, int depth, int levels, Consumer<String> lines) {
    row(part.name(), part.bytes(), depth, lines);
    if (depth < levels) {
      part.parts().forEach(child -> part(child, depth + 1, levels, lines));
    }
  }

  private static void row(String name, long bytes, int depth, Consumer<String> lines) {
    lines.accept(String.format(Locale.ROOT, "%-40s %,17d %12s", "  ".repeat(depth) + name, bytes,
        MemoryPlan.text(bytes)));
  }

  /** The same with every value by name. */
  ObjectNode json() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("fits", plan.fits());
    if (plan.isLimited()) {
      json.put("limit_bytes", plan.limitBytes());
    }
    json.put("peak_bytes", plan.peakBytes());
    json.put("least_bytes", plan.leastBytes());
    json.put("layout_bytes", plan.layoutBytes());
    json.put("overhead_bytes", plan.overheadBytes());
    json.set("states", json(plan.states()));
    json.putObject("pages").put("total_bytes", plan.pages().totalBytes()).put("least_bytes", plan.pages().leastBytes())
        .put("resident_bytes", plan.pages().residentBytes());
    json.put("arena_bytes", plan.arenaBytes());
    ArrayNode programs = json.putArray("programs");
    for (ProgramMemory program : plan.programs()) {
      programs.addObject().put("name", program.name()).put("tokens", program.tokens())
          .put("arena_bytes", program.arenaBytes()).put("live_bytes", program.liveBytes())
          .set("arena", json(program.arena()));
    }
    json.put("host_table_bytes", plan.hostTableBytes());
    ArrayNode options = json.putArray("advice");
    for (MemoryAdvice.Option option : advice) {
      options.addObject().put("setting", option.setting()).put("effect", option.effect())
          .put("saved_bytes", option.savedBytes()).put("alone", option.alone())
          .put("least_bytes", option.leastBytes()).put("fits", option.fits());
    }
    return json;
  }

  private static ObjectNode json(Part part) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("name", part.name()).put("bytes", part.bytes());
    if (!part.parts().isEmpty()) {
      ArrayNode parts = json.putArray("parts");
      part.parts().forEach(child -> parts.add(json(child)));
    }
    return json;
  }
}
