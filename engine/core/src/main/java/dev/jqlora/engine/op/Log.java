package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code y = ln(x)}; F32. Gradient: {@code dx = dy / x}. */
public record Log() implements Elementwise {
  @Override
  public double of(double x) {
    return Math.log(x);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    Value reciprocal = builder.apply(new Reciprocal(), gradient.input(0));
    return Arrays.asList(builder.apply(new Multiply(), gradient.of(0), reciprocal));
  }
}
