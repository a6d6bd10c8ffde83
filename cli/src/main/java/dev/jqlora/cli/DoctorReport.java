package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** What the doctor says of a backend, as a page and as JSON. */
record DoctorReport(String backend, String device, Optional<GpuInfo> gpu, List<Finding> findings) {
  static final String PAGE = "report.md";
  static final String JSON = "report.json";

  List<String> failed() {
    return findings.stream().filter(finding -> !finding.passed()).map(Finding::section).toList();
  }

  void write(Path folder) {
    AtomicFile.write(folder.resolve(JSON), JsonObject.pretty(json()));
    AtomicFile.write(folder.resolve(PAGE), page());
  }

  private static String date() {
    return LocalDate.now(ZoneOffset.UTC).toString();
  }

  private ObjectNode json() {
    ObjectNode json = JsonNodeFactory.instance.objectNode().put("date", date()).put("version", Version.number())
        .put("java", Version.java()).put("system", Version.system()).put("backend", backend).put("device", device);
    gpu.ifPresent(info -> DevicesCommand.describe(info, json.putObject("gpu")));
    json.put("passed", failed().isEmpty());
    ArrayNode sections = json.putArray("sections");
    for (Finding finding : findings) {
      sections.addObject().put("section", finding.section()).put("passed", finding.passed())
          .put("seconds", finding.seconds()).put("summary", finding.summary()).set("figures", finding.figures());
    }
    return json;
  }

  private String page() {
    StringBuilder page = new StringBuilder("""
        # jqlora doctor: %s %s

        | | |
        | --- | --- |
        | date | %s |
        | device | %s |
        | jqlora | %s |
        | Java | %s |
        | system | %s |
        """.formatted(backend, failed().isEmpty() ? "passed" : "FAILED", date(), device, Version.number(),
        Version.java(), Version.system()));
    gpu.ifPresent(info -> info.versions().forEach((what, version) -> page.append("| %s | %s |\n".formatted(what
        .replace('_', ' '), version))));
    page.append("\n| section | | seconds | |\n| --- | --- | ---: | --- |\n");
    for (Finding finding : findings) {
      page.append(String.format(Locale.ROOT, "| %s | %s | %.1f | %s |\n", finding.section(), finding.verdict(),
          finding.seconds(), finding.summary().replace("|", "\\|")));
    }
    for (Finding finding : findings) {
      if (!finding.details().isEmpty()) {
        page.append("\n## ").append(finding.section()).append("\n\n").append(finding.details());
      }
    }
    return page.toString();
  }
}
