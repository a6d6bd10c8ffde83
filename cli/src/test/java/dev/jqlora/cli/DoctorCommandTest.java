package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorCommandTest {
  private static final String HOME = "jqlora.home";
  private static final List<String> SECTIONS = List.of("conformance", "PyTorch's figures", "data and model",
      "full training", "adapters on NF4", "float64 interpreter", "benchmark");

  @TempDir
  private Path folder;

  @BeforeAll
  static void startFromTheProject() {
    System.setProperty(HOME, Shell.ROOT.toString());
  }

  @AfterAll
  static void forgetTheProject() {
    System.clearProperty(HOME);
  }

  private JsonNode report() throws IOException {
    return new ObjectMapper().readTree(folder.resolve("report.json").toFile());
  }

  private List<String> sections(boolean passed) throws IOException {
    List<String> names = new ArrayList<>();
    for (JsonNode section : report().get("sections")) {
      if (section.get("passed").booleanValue() == passed) {
        names.add(section.get("section").textValue());
      }
    }
    return names;
  }

  @Test
  void theCpuIsWell() throws IOException {
    Path data = Shell.data("golden/generation.json").resolveSibling("..").normalize();
    Shell.Result result = Shell.run("doctor", "--backend", "cpu", "--threads", "2", "--quick", "--data",
        data.toString(), "--out", folder.toString()).succeeded();
    assertEquals(SECTIONS, sections(true), result.out());
    assertTrue(report().get("passed").booleanValue());
    assertEquals("cpu", report().get("backend").textValue());
    JsonNode sections = report().get("sections");
    assertTrue(sections.at("/0/figures/cases").intValue() > 150, sections.toString());
    double goldens = sections.at("/1/figures/mean_nll_difference").doubleValue();
    assertTrue(goldens > 0 && goldens < 1e-4, sections.toString());
    assertEquals(0, sections.at("/4/figures/loss_difference").doubleValue(), "one thread gives the very same numbers");
    double interpreter = sections.at("/5/figures/norm_difference").doubleValue();
    assertTrue(interpreter > 0 && interpreter < 1e-5, "the interpreter's norms differ by " + interpreter);
    assertTrue(sections.at("/6/figures/rows").size() > 20);
    String page = Files.readString(folder.resolve("report.md"));
    assertTrue(page.startsWith("# jqlora doctor: cpu passed\n"), page);
    SECTIONS.forEach(section -> assertTrue(page.contains("| " + section + " | passed | "), page));
  }

  @Test
  void aBackendThatComputesWronglyIsFoundOut() throws IOException {
    Shell.Result result = Shell.run("doctor", "--backend", "faulty", "--quick", "--out", folder.toString());
    assertEquals(8, result.exitCode(), result.err());
    assertTrue(result.err().contains("jqlora: error: backend faulty failed in: conformance, full training, adapters on "
        + "NF4, float64 interpreter; "), result.err());
    assertEquals(List.of("data and model", "benchmark"), sections(true));
    assertFalse(report().get("passed").booleanValue());
    String page = Files.readString(folder.resolve("report.md"));
    assertTrue(page.contains("| conformance | FAILED | ") && page.contains("\n## conformance\n\n- "), page);
  }
}
