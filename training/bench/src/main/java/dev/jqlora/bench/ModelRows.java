package dev.jqlora.bench;

import dev.jqlora.engine.autodiff.Autodiff;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.EmbeddingTable;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.Projection;
import dev.jqlora.llama.model.WeightFormat;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/** The rows that measure decoder layers and what is made of them. */
final class ModelRows {
  private static final float LORA_SCALE = 2;
  private static final String LAYERS = "its layers alone";
  private static final String PARTS = "its layers and head alone";

  private final Sizes sizes;
  private final KernelRows kernels;
  private final LlamaConfig model;
  private final int tokens;

  ModelRows(Sizes sizes, KernelRows kernels) {
    this.sizes = sizes;
    this.kernels = kernels;
    model = sizes.model();
    tokens = sizes.tokens();
  }

  List<Row> rows() {
    List<Row> rows = new ArrayList<>(List.of(layer(false), layer(true)));
    rows.addAll(kernels.scaling());
    rows.add(KernelRows.scaling(layer(true), bench -> layer(bench, tokens, true).program()));
    rows.add(step());
    rows.add(prefill());
    rows.add(evaluation());
    sizes.decoded().forEach((name, config) -> rows.add(decode(name, config)));
    rows.add(loading());
    return rows;
  }

  /** The rows that make sense on any device. */
  List<Row> layersAndStep() {
    return List.of(layer(false), layer(true), step());
  }

  private Row layer(boolean gradient) {
    List<Goal> goals = gradient ? List.of(new Goal.TimeShare(Goal.PEER, 0.75)) : List.of();
    return new Row("decoder layer forward%s %d tokens, NF4, LoRA %d".formatted(gradient ? " + backward" : "", tokens,
        KernelRows.LORA_RANK), Roof.MULTIPLY_ADD, goals, bench -> {
          LayerRun layer = layer(bench, tokens, gradient);
          Task task = new Task.Layer(tokens, model.hiddenSize(), model.heads(), model.kvHeads(), model.headDim(),
              LORA_SCALE, (float) model.rmsNormEps(), gradient);
          return new Setup(layer, layer.program().cost()).comparedWith(task, layer);
        });
  }

  /**
   * One layer and the norm behind it, as a model of that one layer. The layer's input is the embedding table; nothing is
   * computed again in the backward pass, as in a library without checkpointing.
   */
  private LayerRun layer(Workbench bench, int n, boolean gradient) {
    LlamaConfig one = Sizes.resized(model, 1, n, true);
    ModelLayout layout = layout(one, n, DType.F32, Optional.of(lora()));
    Program.Builder program = new Program.Builder("layer");
    LlamaGraph llama = new LlamaGraph(layout, program);
    Value hidden = llama.hidden(n, gradient, SavePolicy.EVERYTHING, bench.activations());
    program.write(LayerRun.HIDDEN, hidden);
    List<String> results = new ArrayList<>(List.of(LayerRun.HIDDEN));
    if (gradient) {
      Value seed = program.state(LayerRun.GRADIENT, hidden.type());
      SequencedMap<String, Value> adapters = adapters(llama);
      write(program, adapters, Autodiff.gradients(program.graph(), Map.of(hidden, seed),
          List.copyOf(adapters.values()), Map.of()));
      results.addAll(adapters.keySet());
    }
    return new LayerRun(layout, bench.run(program.build(), feeds(n, n), results));
  }

  /** What is trained, by the state of its gradient. */
  private static SequencedMap<String, Value> adapters(LlamaGraph llama) {
    SequencedMap<String, Value> adapters = new LinkedHashMap<>();
    for (Projection projection : Projection.values()) {
      adapters.put(LayerRun.gradient(projection, true), llama.state(LoraSpec.stateA(projection)));
      adapters.put(LayerRun.gradient(projection, false), llama.state(LoraSpec.stateB(projection)));
    }
    return adapters;
  }

  private static void write(Program.Builder program, SequencedMap<String, Value> adapters, List<Value> gradients) {
    Iterator<Value> next = gradients.iterator();
    adapters.keySet().forEach(state -> program.write(state, next.next()));
  }

  private static Map<String, Tensor> feeds(int n, int vocab) {
    return Map.of(LlamaGraph.TOKENS, Workbench.ids(n, vocab), LlamaGraph.POSITIONS, Workbench.ids(n, n),
        LlamaGraph.START, Tensor.of(TensorType.i32(n), new int[n]));
  }

  static LoraSpec lora() {
    SequencedMap<Projection, Integer> ranks = new LinkedHashMap<>();
    Map<Projection, Float> scales = new EnumMap<>(Projection.class);
    for (Projection projection : Projection.values()) {
      ranks.put(projection, KernelRows.LORA_RANK);
      scales.put(projection, LORA_SCALE);
    }
    return new LoraSpec(ranks, scales, 0);
  }

  private static ModelLayout layout(LlamaConfig config, int positions, DType table, Optional<LoraSpec> lora) {
    Map<Projection, WeightFormat> formats = new EnumMap<>(Projection.class);
    for (Projection projection : Projection.values()) {
      formats.put(projection, new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, true, Optional.empty()));
    }
    return new ModelLayout(config, formats, table, false, new WeightFormat.Plain(table), positions, lora);
  }

  /** A training step of a micro-batch: what the trainer runs, with layers computed again in the backward pass. */
  private Row step() {
    int layers = sizes.stackLayers();
    return new Row("training step %d tokens, %d layers and head".formatted(tokens, layers), Roof.MULTIPLY_ADD,
        List.of(new Goal.TimeShare(PARTS, 1.12)), bench -> Setup.of(step(bench, layers))
            .rival(PARTS, new Setup.Part(layer(bench, tokens, false), layers),
                new Setup.Part(layer(bench, tokens, true), layers), new Setup.Part(kernels.head(bench), 1)));
  }

  private ProgramRun step(Workbench bench, int layers) {
    LlamaConfig stack = Sizes.resized(model, layers, sizes.headVocab(), true);
    ModelLayout layout = layout(stack, tokens, DType.BF16, Optional.of(lora()));
    Program.Builder program = new Program.Builder("step");
    LlamaGraph llama = new LlamaGraph(layout, program);
    Value hidden = llama.hidden(tokens, true, SavePolicy.NOTHING, bench.activations());
    Value labels = program.feed("labels", TensorType.i32(tokens));
    Value loss = llama.crossEntropy(hidden, labels, true, false).getFirst();
    SequencedMap<String, Value> adapters = adapters(llama);
    Map<Value, Value> sums = new LinkedHashMap<>();
    adapters.forEach((gradient, adapter) -> sums.put(adapter, program.state(gradient, adapter.type())));
    write(program, adapters,
        Autodiff.gradients(program.graph(), loss, List.copyOf(adapters.values()), sums));
    program.fetch("loss", loss);
    Map<String, Tensor> feeds = new LinkedHashMap<>(feeds(tokens, sizes.headVocab()));
    feeds.put("labels", Workbench.ids(tokens, sizes.headVocab()));
    return bench.run(program.build(), feeds, List.of());
  }

  private Row prefill() {
    int n = sizes.promptTokens();
    return new Row("prefill %d tokens, %d layers".formatted(n, sizes.stackLayers()), Roof.MULTIPLY_ADD,
        List.of(new Goal.Speed(LAYERS, 0.95)), bench -> {
          LoadedModel stack = stack(bench, n + 1);
          return besideItsLayers(bench, n, stack, GenerationRun.prefill(stack, n));
        });
  }

  private Row evaluation() {
    int n = sizes.promptTokens();
    return new Row("evaluation %d tokens, %d layers, last token scored".formatted(n, sizes.stackLayers()),
        Roof.MULTIPLY_ADD, List.of(new Goal.Speed(LAYERS, 0.95)), bench -> {
          LoadedModel stack = stack(bench, n);
          return besideItsLayers(bench, n, stack, new ScoringRun(stack, n));
        });
  }

  private LoadedModel stack(Workbench bench, int positions) {
    return model(bench, Sizes.resized(model, sizes.stackLayers(), sizes.headVocab(), true), positions);
  }

  /** Adapters are no part of it: the layer that it is compared with has none either. */
  private Setup besideItsLayers(Workbench bench, int n, LoadedModel stack, Contender contender) {
    ProgramRun layer = plainLayer(bench, n);
    Cost cost = layer.cost().times(sizes.stackLayers());
    return new Setup(contender, cost).rival(LAYERS, new Setup.Part(layer, sizes.stackLayers())).owning(stack);
  }

  private ProgramRun plainLayer(Workbench bench, int n) {
    Program.Builder program = new Program.Builder("layer");
    LlamaGraph llama = new LlamaGraph(layout(Sizes.resized(model, 1, n, true), n, DType.F32, Optional.empty()),
        program);
    program.write(LayerRun.HIDDEN, llama.hidden(n, false, SavePolicy.NOTHING, DType.F32));
    return bench.run(program.build(), feeds(n, n), List.of());
  }

  /** The bytes are those of all weights, each read once for a token. */
  private Row decode(String name, LlamaConfig config) {
    int context = 256;
    return new Row("decode one token, NF4 %s".formatted(name), Roof.READ, List.of(new Goal.OfRoof(0.65)), bench -> {
      // Whether the head is the embedding table makes no difference: of the table one row is read.
      LoadedModel loaded = model(bench, Sizes.resized(config, config.layers(), config.vocabSize(), true), context);
      double bytes = loaded.session().type(ModelLayout.EMBED_TOKENS).bytes();
      for (TensorType type : loaded.layout().layerStates().values()) {
        bytes += type.bytes();
      }
      return new Setup(GenerationRun.decode(loaded, context), new Cost(2.0 * config.parameters(), bytes))
          .owning(loaded);
    });
  }

  private static LoadedModel model(Workbench bench, LlamaConfig config, int positions) {
    ModelLayout layout = layout(config, positions, DType.BF16, Optional.empty());
    Session session = bench.backend().open(Long.MAX_VALUE);
    SequencedMap<String, TensorType> states = new LinkedHashMap<>(layout.outerStates());
    states.putAll(layout.layerStates());
    states.forEach(session::allocate);
    states.forEach((state, type) -> bench.content().fill(session, state, type));
    return new LoadedModel(layout, session, new EmbeddingTable.InState(), null);
  }

  private Row loading() {
    LlamaConfig config = Sizes.resized(model, sizes.checkpointLayers(), 1024, true);
    return new Row("loading and quantizing bf16 to NF4, %d layers".formatted(sizes.checkpointLayers()), Roof.NONE,
        List.of(new Goal.Rate(250e6)), bench -> {
          LoadingRun run = new LoadingRun(bench.backend(), config);
          return new Setup(run, new Cost(0, run.bytes()));
        });
  }
}
