package dev.jqlora.bench;

import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * How large things are that are measured.
 *
 * @param name of the set
 * @param model whose layers, attention and head are measured
 * @param tokens of a run
 * @param longTokens of the longer run of attention
 * @param promptTokens of prefill and evaluation
 * @param stackLayers of the model that stand for all of it where a whole step or prompt is measured
 * @param checkpointLayers of the checkpoint that is loaded
 * @param headVocab rows of the head that is measured
 * @param everyProjection whether products are measured with all of a layer's weights or one of them alone
 * @param decoded models that decode, by name
 * @param streamedBytes of the memory whose bandwidth is measured
 */
record Sizes(String name, LlamaConfig model, int tokens, int longTokens, int promptTokens, int stackLayers,
    int checkpointLayers, int headVocab, boolean everyProjection, SequencedMap<String, LlamaConfig> decoded,
    long streamedBytes) {
  /** The whole set; takes up to 8 GB of memory. */
  private static Sizes full() {
    return new Sizes("full", known("llama-3-8b"), 1024, 4096, 512, 4, 4, 128_256, true,
        decoded(List.of("llama-3-8b", "llama-3.2-1b")), 1L << 30);
  }

  /** A smaller set: fewer shapes, less of the stacks, a quarter of the head, no 8B decoding; up to 3 GB. */
  private static Sizes quick() {
    return new Sizes("quick", known("llama-3-8b"), 1024, 4096, 512, 1, 1, 32_064, false,
        decoded(List.of("llama-3.2-1b")), 1L << 30);
  }

  /** Shapes that a device made of software computes in no time: that everything runs is all that can be learned from it. */
  static Sizes tiny() {
    LlamaConfig big = known("llama-3-8b");
    LlamaConfig model = new LlamaConfig(40, 64, 96, 2, 4, 2, 16, 64, big.rmsNormEps(), big.rope(), true,
        big.initializerRange(), big.ids(), big.dtype(), big.quantization());
    return new Sizes("tiny", model, 8, 20, 6, 2, 2, 40, true, new LinkedHashMap<>(Map.of("tiny", model)), 3 << 20);
  }

  /** The whole 8B model, which is only counted. */
  static Sizes counted() {
    return new Sizes("counted", known("llama-3-8b"), 1024, 4096, 512, 32, 4, 128_256, true, new LinkedHashMap<>(), 0);
  }

  private static LlamaConfig known(String name) {
    return KnownConfigs.named(name).orElseThrow();
  }

  private static SequencedMap<String, LlamaConfig> decoded(List<String> names) {
    SequencedMap<String, LlamaConfig> models = new LinkedHashMap<>();
    names.forEach(name -> models.put(name, known(name)));
    return models;
  }

  static Sizes of(Bench.Options options) {
    Sizes set = switch (options.extent()) {
      case FULL -> full();
      case QUICK -> quick();
      case TINY -> tiny();
    };
    return new Sizes(set.name, set.model, set.tokens, set.longTokens, set.promptTokens,
        options.stackLayers().orElse(set.stackLayers), options.checkpointLayers().orElse(set.checkpointLayers),
        set.headVocab, set.everyProjection, set.decoded, set.streamedBytes);
  }

  /** A model with other numbers of layers and tokens, its head tied to the embedding table or not. */
  static LlamaConfig resized(LlamaConfig config, int layers, int vocab, boolean tied) {
    return new LlamaConfig(vocab, config.hiddenSize(), config.intermediateSize(), layers, config.heads(),
        config.kvHeads(), config.headDim(), config.maxPositions(), config.rmsNormEps(), config.rope(), tied,
        config.initializerRange(), config.ids(), config.dtype(), config.quantization());
  }
}
