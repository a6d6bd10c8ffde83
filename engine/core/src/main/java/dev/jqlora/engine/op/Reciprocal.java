package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code y = 1 / x}; F32. Gradient: {@code dx = -dy · y²}. */
public record Reciprocal() implements Elementwise {
  @Override
  public double of(double x) {
    return 1 / x;
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    Value square = builder.apply(new Multiply(), gradient.output(0), gradient.output(0));
    return Arrays.asList(builder.apply(new Scale(-1), builder.apply(new Multiply(), gradient.of(0), square)));
  }
}
