package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code y = √x}; F32. Gradient: {@code dx = dy / (2y)}. */
public record Sqrt() implements Elementwise {
  @Override
  public double of(double x) {
    return Math.sqrt(x);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    Value reciprocal = builder.apply(new Reciprocal(), gradient.output(0));
    return Arrays.asList(builder.apply(new Scale(0.5f), builder.apply(new Multiply(), gradient.of(0), reciprocal)));
  }
}
