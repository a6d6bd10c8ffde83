package dev.jqlora.training.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.generate.Generator;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.model.WeightFormat;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.OptimizerArguments;
import dev.jqlora.training.config.OptimizerType;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the programs of real models take, by their plans alone: no memory is asked for. */
class PlannedMemoryTest {
  private static final OptimizerArguments OPTIMIZER = new OptimizerArguments(OptimizerType.PAGED_ADAMW_8BIT, 1e-4, 0.01,
      0.9, 0.999, 1e-8, 1);

  private static ModelLayout layout(LlamaConfig config, int positions, WeightFormat head) {
    Map<Projection, WeightFormat> formats = Arrays.stream(Projection.values()).collect(Collectors.toMap(Function
        .identity(), _ -> new WeightFormat.Nf4(64, true, Optional.empty())));
    SequencedMap<Projection, Integer> ranks = new LinkedHashMap<>();
    Arrays.stream(Projection.values()).forEach(projection -> ranks.put(projection, 16));
    Map<Projection, Float> scales = Arrays.stream(Projection.values()).collect(Collectors.toMap(Function.identity(),
        _ -> 2f));
    return new ModelLayout(config, formats, DType.BF16, false, head, positions, Optional
        .of(new LoraSpec(ranks, scales, 0f)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-3-8b", "llama-3.2-1b", "llama-3.2-3b"})
  void placementIsCloseToItsLowerBound(String model) {
    try (Backend backend = new CpuBackend(1)) {
      for (int n : new int[]{512, 1024, 2048, 4096, 8192}) {
        ModelLayout layout = layout(KnownConfigs.named(model).orElseThrow(), n, new WeightFormat.Plain(DType.BF16));
        List<Trainable> trainables = Trainable.of(layout, FinetuningType.LORA);
        for (SavePolicy save : SavePolicy.values()) {
          check(new TrainPrograms(layout, trainables, save, DType.F32).step(n), backend);
        }
        check(TrainPrograms.evaluation(layout, n, true, DType.F32), backend);
        check(OptimizerProgram.of(trainables, OPTIMIZER), backend);
        check(Generator.program(layout, 1, n), backend);
        check(Generator.program(layout, 256, n), backend);
        ModelLayout quantizedHead = layout(layout.config(), n, new WeightFormat.Nf4(64, true, Optional.empty()));
        check(new TrainPrograms(quantizedHead, trainables, SavePolicy.ROUNDED, DType.F32).step(n), backend);
      }
    }
  }

  /**
   * A training step of 1,024 tokens: all carries, and in the widest place, head and loss, the logits of half the tokens,
   * three values of the hidden states' width, and in two and a half more the rows of a block, what products pack and a carry.
   * The gradient of the feed-forward part, with four values of its width, takes a little less.
   */
  @Test
  void aStepOfThe8bModelTakes() {
    try (Backend backend = new CpuBackend(1)) {
      ModelLayout layout = layout(KnownConfigs.named("llama-3-8b").orElseThrow(), 1024, new WeightFormat.Plain(
          DType.BF16));
      Plan plan = Planner.plan(new TrainPrograms(layout, Trainable.of(layout, FinetuningType.LORA), SavePolicy.ROUNDED,
          DType.F32).step(1024), backend);
      long carries = 32L * 1024 * 4096 * Short.BYTES;
      assertTrue(plan.peak().stream().anyMatch(part -> part.bytes() == carries), () -> plan.peak().toString());
      long logits = 512L * 128_256 * Float.BYTES;
      long hidden = 1024L * 4096 * Float.BYTES;
      assertTrue(plan.arenaBytes() <= carries + logits + 5 * hidden + hidden / 2, () -> plan.peak().toString());
    }
  }

  /** At least all that is live at once is taken, and little more; what is aligned and rounded up may take the rest. */
  private static void check(Program program, Backend backend) {
    Plan plan = Planner.plan(program, backend);
    String figures = "%s takes %,d of %,d bytes".formatted(program.name(), plan.arenaBytes(), plan.liveBytes());
    assertTrue(plan.liveBytes() <= plan.arenaBytes() && plan.arenaBytes() <= 1.05 * plan.liveBytes(), figures);
  }
}
