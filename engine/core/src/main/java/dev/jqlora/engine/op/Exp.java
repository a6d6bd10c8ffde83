package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code y = exp(x)}; F32. Gradient: {@code dx = dy · y}. */
public record Exp() implements Elementwise {
  @Override
  public double of(double x) {
    return Math.exp(x);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    return Arrays.asList(builder.apply(new Multiply(), gradient.of(0), gradient.output(0)));
  }
}
