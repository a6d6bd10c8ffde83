package dev.jqlora.cli;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.GeneralCodingRules;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The laws of the layout. A law that sees too few classes to mean anything fails. */
class ArchitectureTest {
  private static final JavaClasses CLASSES = new ClassFileImporter().withImportOption(
      ImportOption.Predefined.DO_NOT_INCLUDE_TESTS).importPackages("dev.jqlora");

  /** The packages of the backends; the reference interpreter is part of the core. */
  private static final List<String> BACKENDS = List.of("dev.jqlora.engine.cpu..", "dev.jqlora.engine.tornado..",
      "dev.jqlora.engine.cuda..");
  private static final List<String> CORE = List.of("dev.jqlora.engine.autodiff..", "dev.jqlora.engine.backend..",
      "dev.jqlora.engine.error..", "dev.jqlora.engine.graph..", "dev.jqlora.engine.op..", "dev.jqlora.engine.pass..",
      "dev.jqlora.engine.plan..", "dev.jqlora.engine.random..", "dev.jqlora.engine.reference..",
      "dev.jqlora.engine.tensor..");
  private static final String LLAMA = "dev.jqlora.llama..";
  private static final String TRAINING = "dev.jqlora.training..";
  private static final String BENCH = "dev.jqlora.bench..";
  private static final String CLI = "dev.jqlora.cli..";

  private static void check(int least, List<String> packages, ArchRule law) {
    JavaClasses seen = CLASSES.that(JavaClass.Predicates.resideInAnyPackage(packages.toArray(String[]::new)));
    assertTrue(seen.size() >= least, "only %d classes in %s; the law would say nothing".formatted(seen.size(),
        packages));
    law.check(seen);
  }

  private static String[] array(List<String> packages) {
    return packages.toArray(String[]::new);
  }

  @Test
  void packagesHaveNoCycles() {
    assertTrue(CLASSES.size() > 300, "only %d classes".formatted(CLASSES.size()));
    slices().matching("dev.jqlora.(**)").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void everyPackageIsKnown() {
    List<String> known = List.of("dev.jqlora.engine.testkit..", LLAMA, TRAINING, BENCH, CLI);
    JavaClasses others = CLASSES.that(not(JavaClass.Predicates.resideInAnyPackage(array(known))).and(not(
        JavaClass.Predicates.resideInAnyPackage(array(CORE)))).and(not(
            JavaClass.Predicates.resideInAnyPackage(array(
                BACKENDS)))));
    assertTrue(others.isEmpty(), () -> "no law names the packages of " + others);
  }

  @Test
  void theCoreKnowsNothingAboveIt() {
    check(100, CORE, noClasses().should().dependOnClassesThat().resideInAnyPackage(array(BACKENDS)));
    check(100, CORE, noClasses().should().dependOnClassesThat().resideInAnyPackage(LLAMA, TRAINING, BENCH, CLI,
        "dev.jqlora.engine.testkit.."));
  }

  @Test
  void backendsKnowNeitherEachOtherNorWhatUsesThem() {
    check(30, BACKENDS, slices().matching("dev.jqlora.engine.(cpu|tornado|cuda)..").should()
        .notDependOnEachOther());
    check(30, BACKENDS, noClasses().should().dependOnClassesThat().resideInAnyPackage(LLAMA, TRAINING, BENCH, CLI));
  }

  @Test
  void modelAndTrainingNameNoBackend() {
    check(40, List.of(LLAMA), noClasses().should().dependOnClassesThat().resideInAnyPackage(array(BACKENDS)));
    check(40, List.of(TRAINING), noClasses().should().dependOnClassesThat().resideInAnyPackage(array(BACKENDS)));
    check(40, List.of(LLAMA), noClasses().should().dependOnClassesThat().resideInAnyPackage(TRAINING, BENCH,
        CLI));
    check(40, List.of(TRAINING), noClasses().should().dependOnClassesThat().resideInAnyPackage(BENCH, CLI));
    check(15, List.of(BENCH), noClasses().should().dependOnClassesThat().resideInAnyPackage(CLI));
  }

  /** The command line finds backends by ServiceLoader. */
  @Test
  void theCommandLineNamesNoBackend() {
    check(15, List.of(CLI), noClasses().should().dependOnClassesThat().resideInAnyPackage(array(BACKENDS)));
  }

  @Test
  void onlyTheCommandLinePrints() {
    JavaClasses libraries = CLASSES.that(not(resideInAPackage(CLI)));
    assertTrue(libraries.size() > 250, "only %d classes".formatted(libraries.size()));
    GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS.check(libraries);
  }

  @Test
  void onlyTheCpuBackendSeesTheVectorApi() {
    JavaClasses others = CLASSES.that(not(resideInAPackage("dev.jqlora.engine.cpu..")));
    noClasses().should().dependOnClassesThat().resideInAPackage("jdk.incubator..").check(others);
    long users = CLASSES.stream().filter(type -> type.getDirectDependenciesFromSelf().stream().anyMatch(
        dependency -> dependency.getTargetClass().getPackageName().startsWith("jdk.incubator"))).count();
    assertTrue(users >= 5, "only %d classes use it; the law would say nothing".formatted(users));
  }
}
