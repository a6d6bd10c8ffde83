package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The script {@code ./jqlora} in a project of its own, with a JDK and a Maven that only tell what they were asked. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "the launcher is a POSIX shell script")
class LauncherTest {
  private static final List<String> TOOLS = List.of("sed", "dirname", "basename", "readlink", "find", "head",
      "env",
      "ln", "rm", "rmdir", "mkdir", "touch", "sleep", "echo", "cat");
  private static final Path SHELL = Path.of("/bin/sh");
  /** Prints its process, then its arguments one a line. */
  private static final String JAVA = "#!/bin/sh\necho \"pid $$\"\nfor argument; do echo \"$argument\"; done\n";
  /** Leaves a line in a log, and the jar. */
  private static final String MAVEN = """
      #!/bin/sh
      echo "built with $JAVA_HOME: $*" >>"$BUILD_LOG"
      sleep 0.3
      touch "$(dirname "$BUILD_LOG")/project/cli/target/jqlora.jar"
      """;

  @TempDir
  private Path folder;

  private Path project;
  private Path bin;
  private Path jdk;

  private record Run(long pid, int exitCode, String out, String err) {}

  @BeforeEach
  void makeProject() throws IOException {
    project = Files.createDirectories(folder.resolve("project"));
    Files.copy(Shell.ROOT.resolve("jqlora"), project.resolve("jqlora"));
    script(project.resolve("jqlora"), Files.readString(project.resolve("jqlora")));
    for (String module : List.of("engine", "llama", "training", "cli")) {
      Files.createDirectories(project.resolve(module).resolve("src/main/java"));
      Files.createDirectories(project.resolve(module).resolve("src/test/java"));
    }
    Files.writeString(project.resolve("pom.xml"), "<project/>");
    bin = Files.createDirectories(folder.resolve("bin"));
    for (String tool : TOOLS) {
      Path there = List.of("/bin", "/usr/bin").stream().map(at -> Path.of(at, tool)).filter(Files::exists).findFirst()
          .orElseThrow();
      script(bin.resolve(tool), "#!%s\nexec %s \"$@\"\n".formatted(SHELL, there));
    }
    jdk = makeJdk("jdk", "25.0.1");
  }

  private Path makeJdk(String name, String version) throws IOException {
    Path home = folder.resolve(name);
    Files.createDirectories(home.resolve("bin"));
    Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"%s\"\n".formatted(version));
    script(home.resolve("bin/java"), JAVA);
    script(home.resolve("bin/javac"), "#!/bin/sh\n");
    return home;
  }

  private static void script(Path file, String text) throws IOException {
    Files.writeString(file, text);
    assertTrue(file.toFile().setExecutable(true));
  }

  private void installMaven(String text) throws IOException {
    script(bin.resolve("mvn"), text);
  }

  private Process start(Path launcher, Map<String, String> environment, String... args) throws IOException {
    List<String> command = new ArrayList<>(List.of(launcher.toString()));
    command.addAll(List.of(args));
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().clear();
    builder.environment().putAll(Map.of("PATH", bin.toString(), "JAVA_HOME", jdk.toString(), "HOME", folder.toString(),
        "BUILD_LOG", folder.resolve("build.log").toString()));
    builder.environment().putAll(environment);
    return builder.start();
  }

  private Run await(Process process) throws IOException, InterruptedException {
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return new Run(process.pid(), process.exitValue(), out, err);
  }

  private Run run(Map<String, String> environment, String... args) throws IOException, InterruptedException {
    return await(start(project.resolve("jqlora"), environment, args));
  }

  private List<String> builds() throws IOException {
    Path log = folder.resolve("build.log");
    return Files.exists(log) ? Files.readAllLines(log) : List.of();
  }

  private static void assertFailed(Run run, String... parts) {
    assertEquals(1, run.exitCode(), run.err());
    assertEquals("", run.out());
    String last = run.err().lines().toList().getLast();
    assertTrue(last.startsWith("jqlora: error: "), run.err());
    for (String part : parts) {
      assertTrue(last.contains(part), run.err());
    }
  }

  @Test
  void buildsOnceThenBecomesJavaWithTheArgumentsAsGiven() throws IOException, InterruptedException {
    installMaven(MAVEN);
    Run first = run(Map.of("JQLORA_OPTS", "-Xmx9g -Da=b"), "generate", "--prompt", "two  words", "*", "");
    assertEquals(0, first.exitCode(), first.err());
    assertEquals("jqlora: building, since sources are newer than the last build\n", first.err());
    List<String> lines = first.out().lines().toList();
    assertEquals("pid " + first.pid(), lines.getFirst());
    String jar = project.toRealPath().resolve("cli/target/jqlora.jar").toString();
    assertEquals(List.of("-Xmx9g", "-Da=b", "-jar", jar, "generate", "--prompt", "two  words", "*", ""), lines.subList(
        lines.indexOf("-Xmx9g"), lines.size()));
    assertTrue(lines.indexOf("-Xmx2g") < lines.indexOf("-Xmx9g"), first.out());
    assertTrue(lines.contains("-XX:MaxDirectMemorySize=1t"),
        "else weights end where the heap does, but on Linux: " + first.out());
    assertTrue(lines.containsAll(List.of("--add-modules", "jdk.incubator.vector",
        "--enable-native-access=ALL-UNNAMED", "-Djqlora.home=" + project.toRealPath())), first.out());
    Run second = run(Map.of(), "version");
    assertEquals("", second.err());
    assertEquals(1, builds().size());
    assertTrue(builds().getFirst().startsWith("built with " + jdk + ":"), builds().toString());
    assertTrue(builds().getFirst().endsWith(" package"), builds().toString());
  }

  @Test
  void buildsAgainWhereSourcesPomsOrTheirFoldersAreNewerAndNotForTests() throws IOException, InterruptedException {
    installMaven(MAVEN);
    run(Map.of(), "version");
    FileTime later = FileTime.from(Instant.now().plusSeconds(60));
    Files.setLastModifiedTime(Files.writeString(project.resolve("llama/src/test/java/ATest.java"), ""), later);
    run(Map.of(), "version");
    assertEquals(1, builds().size());
    for (String changed : List.of("engine/src/main/java/A.java", "cli/pom.xml", "training/src/main/java")) {
      int before = builds().size();
      Path path = project.resolve(changed);
      if (!Files.exists(path)) {
        Files.writeString(path, "");
      }
      Files.setLastModifiedTime(path, later);
      run(Map.of(), "version");
      assertEquals(before + 1, builds().size(), changed);
      Files.setLastModifiedTime(path, FileTime.from(Instant.now().minusSeconds(60)));
    }
  }

  @Test
  void worksThroughSymbolicLinksFromAnyFolder() throws IOException, InterruptedException {
    installMaven(MAVEN);
    Path elsewhere = Files.createDirectories(folder.resolve("else where"));
    Files.createSymbolicLink(elsewhere.resolve("first"), Path.of("../project/jqlora"));
    Files.createSymbolicLink(folder.resolve("second"), elsewhere.resolve("first"));
    Run run = await(start(folder.resolve("second"), Map.of(), "version"));
    assertEquals(0, run.exitCode(), run.err());
    assertTrue(run.out().contains(project.toRealPath().resolve("cli/target/jqlora.jar").toString()), run.out());
  }

  @Test
  void passesOverAnOldJdk() throws IOException, InterruptedException {
    installMaven(MAVEN);
    Path old = makeJdk("old", "17.0.9");
    Run run = run(Map.of("JAVA_HOME", old.toString(), "JDK_HOME", jdk.toString()), "version");
    assertEquals(0, run.exitCode(), run.err());
    assertTrue(builds().getFirst().startsWith("built with " + jdk + ":"), builds().toString());
  }

  @Test
  void withoutAJdkThereIsOneLine() throws IOException, InterruptedException {
    String text = Files.readString(project.resolve("jqlora"));
    script(project.resolve("jqlora"), text.replace("needed=25\n", "needed=2500\n"));
    Run run = run(Map.of(), "version");
    assertFailed(run, "no JDK 2500 or newer", "JAVA_HOME");
    assertEquals(1, run.err().lines().count());
  }

  @Test
  void withoutMavenThereIsOneLine() throws IOException, InterruptedException {
    Run run = run(Map.of(), "version");
    assertFailed(run, "Maven", "mvn");
    assertEquals(1, run.err().lines().count());
  }

  @Test
  void aFailedBuildShowsItsMessagesAndCanBeTriedAgain() throws IOException, InterruptedException {
    installMaven("#!/bin/sh\necho 'A.java:1: missing ;'\nexit 1\n");
    Run run = run(Map.of(), "version");
    assertFailed(run, "the build failed");
    assertTrue(run.err().contains("A.java:1: missing ;"), run.err());
    assertFalse(Files.exists(project.resolve("cli/target/building"), LinkOption.NOFOLLOW_LINKS));
    installMaven(MAVEN);
    assertEquals(0, run(Map.of(), "version").exitCode());
  }

  @Test
  void startsAtTheSameTimeBuildOnce() throws IOException, InterruptedException {
    installMaven(MAVEN);
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      processes.add(start(project.resolve("jqlora"), Map.of(), "version"));
    }
    for (Process process : processes) {
      Run run = await(process);
      assertEquals(0, run.exitCode(), run.err());
    }
    assertEquals(1, builds().size());
  }

  @Test
  void aLockWhoseProcessIsGoneIsTakenOver() throws IOException, InterruptedException {
    installMaven(MAVEN);
    Process gone = new ProcessBuilder(SHELL.toString(), "-c", "exit 0").start();
    gone.waitFor();
    Files.createDirectories(project.resolve("cli/target"));
    Files.createSymbolicLink(project.resolve("cli/target/building"), Path.of(String.valueOf(gone.pid())));
    Run run = run(Map.of(), "version");
    assertEquals(0, run.exitCode(), run.err());
    assertEquals(1, builds().size());
  }

  private Path makeTornado() throws IOException {
    Path home = folder.resolve("tornado vm");
    Path jars = Files.createDirectories(home.resolve("share/java/tornado"));
    Files.createFile(jars.resolve("tornado-api-5.2.0-jdk25.jar"));
    return home;
  }

  @Test
  void tornadoNeedsTornadoVm() throws Exception {
    installMaven(MAVEN);
    assertFailed(run(Map.of(), "--backend", "tornado"), "needs TornadoVM", "TORNADOVM_HOME");
    assertFailed(run(Map.of("TORNADOVM_HOME", bin.toString()), "--backend=tornado"), bin + " is not TornadoVM 5.2.0");
    Path home = makeTornado();
    Map<String, String> environment = Map.of("TORNADOVM_HOME", home.toString());
    assertFailed(run(environment, "train", "--backend", "tornado"), home + "/tornado-argfile is not there",
        "bin/tornado --devices");
    Files.createFile(home.resolve("tornado-argfile"));
    jdk = makeJdk("jdk26", "26.0.1");
    assertFailed(run(environment, "train", "--backend", "tornado"), "runs on JDK 25, which " + jdk + " is not");
  }

  @Test
  void tornadoBringsItsFlagsAndIsBuiltOnce() throws Exception {
    installMaven(MAVEN);
    Path home = makeTornado();
    Files.createFile(home.resolve("tornado-argfile"));
    Map<String, String> environment = Map.of("TORNADOVM_HOME", home.toString());
    assertFalse(run(Map.of(), "train").out().contains("tornado"));
    assertEquals(1, builds().size());
    for (int i = 0; i < 2; i++) {
      List<String> arguments = run(environment, "train", "--backend", "tornado").out().lines().toList();
      assertEquals("@" + home + "/tornado-argfile", arguments.get(1));
      assertTrue(arguments.contains("-Dtornado.recover.bailout=false"), arguments.toString());
      assertFalse(arguments.contains("-XX:+UseSerialGC"), arguments.toString());
      assertEquals(2, builds().size());
    }
    assertTrue(run(environment, "devices").out().contains("tornado-argfile"));
    assertFalse(run(Map.of(), "devices").out().contains("tornado-argfile"));
    assertFalse(run(environment, "train", "--backend", "cpu").out().contains("tornado-argfile"));
    assertTrue(run(environment, "train", "run.yaml", "backend=tornado").out().contains("tornado-argfile"));
    assertTrue(run(environment, "train", "--backend", "auto").out().contains("tornado-argfile"));
    assertFalse(run(Map.of(), "train", "--backend=auto").out().contains("tornado-argfile"));
  }
}
