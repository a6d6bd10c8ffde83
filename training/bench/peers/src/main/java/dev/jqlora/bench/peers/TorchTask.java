package dev.jqlora.bench.peers;

import dev.jqlora.bench.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * A task as PyTorch does it.
 *
 * @param result the name of what the script returns
 * @param gradients the inputs that a gradient is taken by, with the name of that result, which is empty where the gradient
 *     is computed but not compared
 * @param seed the input that is the gradient of the result; 1 where there is none
 */
record TorchTask(TorchScript script, String result, SequencedMap<String, String> gradients, @Nullable String seed) {
  private static final List<String> PROJECTIONS = List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj",
      "up_proj", "down_proj");

  static TorchTask of(Task task) {
    return switch (task) {
      case Task.Product product -> forward(new TorchScript(List.of("a", "b"),
          "return torch.matmul(a, %s)".formatted(product.transposed() ? "torch.t(b)" : "b")), "c");
      case Task.Attention attention -> attention(attention);
      case Task.Head _ -> new TorchTask(new TorchScript(List.of("x", "w", "labels"), """
          logits = torch.matmul(x, torch.t(w))
          return torch.cross_entropy_loss(logits, labels, None, 2, -100, 0.)
          """), "loss", new LinkedHashMap<>(Map.of("x", "dx")), null);
      case Task.Layer layer -> layer(layer);
    };
  }

  private static TorchTask forward(TorchScript script, String result) {
    return new TorchTask(script, result, new LinkedHashMap<>(), null);
  }

  private static TorchTask attention(Task.Attention task) {
    TorchScript script = new TorchScript(List.of("q", "k", "v"), """
        qh = torch.transpose(torch.view(q, [1, %1$d, %2$d, %4$d]), 1, 2)
        kh = torch.transpose(torch.view(k, [1, %1$d, %3$d, %4$d]), 1, 2)
        vh = torch.transpose(torch.view(v, [1, %1$d, %3$d, %4$d]), 1, 2)
        %5$s
        """.formatted(task.tokens(), task.heads(), task.kvHeads(), task.headDim(),
        attended(task.tokens(), task.heads(), task.kvHeads(), task.headDim(), "return ")));
    if (!task.gradient()) {
      return forward(script, "out");
    }
    SequencedMap<String, String> gradients = new LinkedHashMap<>();
    List.of("q", "k", "v").forEach(input -> gradients.put(input, "d" + input));
    return new TorchTask(script, "out", gradients, "dout");
  }

  /** Key-value heads are repeated for the query heads that share them, as Transformers does it. */
  private static String attended(int tokens, int heads, int kvHeads, int headDim, String target) {
    return """
        kr = torch.reshape(torch.expand(torch.unsqueeze(kh, 2), [1, %1$d, %2$d, %3$d, %4$d]), [1, %5$d, %3$d, %4$d])
        vr = torch.reshape(torch.expand(torch.unsqueeze(vh, 2), [1, %1$d, %2$d, %3$d, %4$d]), [1, %5$d, %3$d, %4$d])
        out = torch.scaled_dot_product_attention(qh, kr, vr, None, 0., True)
        %7$storch.reshape(torch.transpose(out, 1, 2), [%3$d, %6$d])
        """.formatted(kvHeads, heads / kvHeads, tokens, headDim, heads, heads * headDim, target).strip();
  }

  private static TorchTask layer(Task.Layer task) {
    List<String> parameters = new ArrayList<>(
        List.of("x", "input_layernorm", "post_attention_layernorm", "norm", "cos", "sin"));
    SequencedMap<String, String> gradients = new LinkedHashMap<>();
    gradients.put("x", "");
    for (String projection : PROJECTIONS) {
      parameters.add(projection);
      for (String part : List.of(".A", ".B")) {
        parameters.add(projection + part);
        gradients.put(projection + part, projection + part);
      }
    }
    StringBuilder body = new StringBuilder();
    rmsNorm(body, task, "h", "x", "input_layernorm");
    linear(body, task, "q", "h", "q_proj");
    linear(body, task, "k", "h", "k_proj");
    linear(body, task, "v", "h", "v_proj");
    body.append("""
        c = torch.cat([cos, cos], -1)
        s = torch.cat([sin, sin], -1)
        """);
    heads(body, task, "qn", "q", task.heads());
    heads(body, task, "kn", "k", task.kvHeads());
    heads(body, task, "vh", "v", task.kvHeads());
    rotated(body, task, "qh", "qn");
    rotated(body, task, "kh", "kn");
    body.append(attended(task.tokens(), task.heads(), task.kvHeads(), task.headDim(), "attended = ")).append('\n');
    linear(body, task, "o", "attended", "o_proj");
    body.append("y = torch.add(x, o)\n");
    rmsNorm(body, task, "m", "y", "post_attention_layernorm");
    linear(body, task, "gate", "m", "gate_proj");
    linear(body, task, "up", "m", "up_proj");
    body.append("swiglu = torch.mul(torch.silu(gate), up)\n");
    linear(body, task, "down", "swiglu", "down_proj");
    body.append("z = torch.add(y, down)\n");
    rmsNorm(body, task, "hidden", "z", "norm");
    body.append("return hidden\n");
    TorchScript script = new TorchScript(parameters.stream().map(TorchTask::identifier).toList(), body.toString());
    return task.gradient() ? new TorchTask(script, "hidden", gradients, "dhidden") : forward(script, "hidden");
  }

  /** An input's name in a script. */
  static String identifier(String input) {
    return input.replace('.', '_');
  }

  /** The inputs of the script, by the names of the task. */
  List<String> inputs() {
    return script.parameters().stream().map(parameter -> PROJECTIONS.stream().filter(parameter::startsWith).findFirst()
        .map(projection -> parameter.replace(projection + "_", projection + ".")).orElse(parameter)).toList();
  }

  private static void rmsNorm(StringBuilder body, Task.Layer task, String y, String x, String weight) {
    body.append(String.format(Locale.ROOT,
        """
            %1$s = torch.mul(%3$s, torch.mul(%2$s, torch.rsqrt(torch.add(torch.mean(torch.pow(%2$s, 2), [-1], True), %4$.9f))))
            """,
        y, x, weight, task.epsilon()));
  }

  private static void linear(StringBuilder body, Task.Layer task, String y, String x, String projection) {
    body.append(String.format(Locale.ROOT, """
        %1$s = torch.add(torch.linear(%2$s, %3$s), torch.mul(torch.linear(torch.linear(%2$s, %3$s_A), %3$s_B), %4$.9f))
        """, y, x, projection, task.scale()));
  }

  private static void heads(StringBuilder body, Task.Layer task, String y, String x, int heads) {
    body.append("%s = torch.transpose(torch.view(%s, [1, %d, %d, %d]), 1, 2)%n".formatted(y, x, task.tokens(), heads,
        task.headDim()));
  }

  private static void rotated(StringBuilder body, Task.Layer task, String y, String x) {
    int half = task.headDim() / 2;
    body.append("""
        %1$s_half = torch.cat([torch.neg(torch.slice(%2$s, 3, %3$d, %4$d)), torch.slice(%2$s, 3, 0, %3$d)], -1)
        %1$s = torch.add(torch.mul(%2$s, c), torch.mul(%1$s_half, s))
        """.formatted(y, x, half, task.headDim()));
  }
}
