package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands on the CUDA backend's test driver, in processes of their own: once it is loaded, a process keeps it. */
class CudaCommandsTest {
  @TempDir
  private Path folder;

  private Shell.Result run(String... arguments) throws IOException, InterruptedException {
    Path driver = Shell.ROOT.resolve("engine/cuda/target/test-classes");
    assumeTrue(Files.isDirectory(driver), "skipped: engine/cuda's tests, which hold the test driver, are not built");
    assumeTrue(Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)).anyMatch(
        path -> Files.isExecutable(Path.of(path, "g++"))), "skipped: there is no g++ to build the test driver with");
    return Shell.runProcess(CudaShell.class, driver, Map.of(), folder, arguments);
  }

  @Test
  void theCardIsShown() throws IOException, InterruptedException {
    List<JsonNode> devices = new ArrayList<>();
    run("devices", "--json").json().get("devices").forEach(devices::add);
    JsonNode cuda = devices.stream().filter(device -> device.get("backend").textValue().equals("cuda")).findFirst()
        .orElseThrow();
    assertEquals("test device, 8.0 GiB, compute capability 8.9, driver for CUDA 13.0, 8.0 GiB free", cuda.get("device")
        .textValue());
    assertEquals(
        new ObjectMapper().readTree(
            """
                {"name":"test device","memory_bytes":8589934592,"free_bytes":8589934592,"compute_capability":"8.9","cuda":"13.0"}
                """),
        cuda.get("gpu"));
  }

  @Test
  void theChoiceFallsOnTheGpuAndSaysSo() throws IOException, InterruptedException {
    Shell.Result result = run("generate", "--model", Shell.data("stories260K").toString(), "--prompt",
        "Once upon a time", "--temperature", "0", "--max-new-tokens", "8").succeeded();
    assertTrue(result.err().contains("jqlora: backend cuda: test device, 8.0 GiB"), result.err());
    assertEquals(Shell.run("generate", "--backend", "cpu", "--model", Shell.data("stories260K").toString(), "--prompt",
        "Once upon a time", "--temperature", "0", "--max-new-tokens", "8").succeeded().out(), result.out());
  }

  @Test
  void theDoctorFindsItWell() throws IOException, InterruptedException {
    Shell.Result result = run("doctor", "--backend", "cuda", "--quick", "--out", folder.toString());
    assertEquals(0, result.exitCode(), result.out() + result.err());
    JsonNode report = new ObjectMapper().readTree(folder.resolve("report.json").toFile());
    assertTrue(report.get("passed").booleanValue());
    assertEquals("8.9", report.at("/gpu/compute_capability").textValue());
    for (JsonNode section : report.get("sections")) {
      assertTrue(section.get("passed").booleanValue(), section.toString());
    }
    assertTrue(report.at("/sections/0/figures/cases").intValue() > 100, result.out());
    assertTrue(report.at("/sections/5/figures/rows").size() > 20, result.out());
  }
}
