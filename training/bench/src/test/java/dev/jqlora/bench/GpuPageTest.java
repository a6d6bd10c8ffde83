package dev.jqlora.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.SwiGlu;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.NullBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * Keeps the roofline of {@code docs/gpu.md} equal to what the ops' costs and the cards' figures say. A stale one is written
 * anew by running this test with {@code -Djqlora.docs=write}.
 */
class GpuPageTest {
  private static final Path PAGE = Path.of(System.getProperty("jqlora.root", ".")).resolve("docs/gpu.md");
  private static final String BEGIN = "<!-- roofline: begin -->\n";
  private static final String END = "<!-- roofline: end -->\n";

  @Test
  void theRooflineIsWhatIsCounted() throws IOException {
    String page = Files.readString(PAGE);
    int begin = page.indexOf(BEGIN) + BEGIN.length();
    int end = page.indexOf(END);
    String expected = page.substring(0, begin)
        + Roofline.markdown(new NullBackend((_, _, _) -> Support.NATIVE),
            new NullBackend((_, _, _) -> Support.NATIVE, DType.BF16))
        + page.substring(end);
    if ("write".equals(System.getProperty("jqlora.docs"))) {
      Files.writeString(PAGE, expected);
    } else {
      assertEquals(expected, page, "docs/gpu.md is stale; it says how to write it anew");
    }
  }

  /** A product that computes for a second and moves little, then an op that computes little and moves for longer. */
  @Test
  void eachOpTakesTheLongerOfItsTwoTimes() {
    Program.Builder program = new Program.Builder("two");
    var a = program.feed("a", TensorType.f32(100, 100));
    var product = program.graph().apply(MatMul.NT, a, a);
    program.fetch("out", program.graph().apply(new SwiGlu(), product, product));
    var graph = program.build().graph();
    Cost swiGlu = graph.nodes().get(1).op().cost(graph.nodes().get(1).inputTypes(), graph.nodes().get(1)
        .outputTypes());
    assertEquals(1 + swiGlu.bytes() / 1e6, Roofline.seconds(graph, 2e6, 1e6), 1e-9);
  }

  @Test
  void cardsAreKnownByTheNamesThatDriversGive() {
    assertEquals("RTX 4050 Laptop", Card.named("NVIDIA GeForce RTX 4050 Laptop GPU, 6.0 GiB").orElseThrow().name());
    assertEquals("RTX 4090", Card.named("NVIDIA GeForce RTX 4090").orElseThrow().name());
    assertEquals("H100 SXM", Card.named("NVIDIA H100 80GB HBM3").orElseThrow().name());
    assertTrue(Card.named("NVIDIA GeForce RTX 4090 Laptop GPU").isEmpty());
    assertTrue(Card.named("NVIDIA H100 PCIe").isEmpty());
  }
}
