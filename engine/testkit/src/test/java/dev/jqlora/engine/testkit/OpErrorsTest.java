package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** Inputs that do not fit an op are refused where the op is applied, with the message that the cases name. */
class OpErrorsTest {
  @TestFactory
  Stream<DynamicNode> misfitsAreRefused() {
    return CaseCatalogue.all().entrySet().stream().map(entry -> dynamicContainer(entry.getKey(),
        entry.getValue().misfits().stream().map(misfit -> dynamicTest(misfit.message(), () -> check(misfit)))));
  }

  private static void check(CaseList.Misfit misfit) {
    GraphBuilder builder = new GraphBuilder();
    List<Value> values = misfit.inputs().stream().map(type -> builder.input("input", type)).toList();
    IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class,
        () -> builder.applyAll(misfit.op().get(), values));
    assertEquals(misfit.message(), thrown.getMessage());
  }
}
