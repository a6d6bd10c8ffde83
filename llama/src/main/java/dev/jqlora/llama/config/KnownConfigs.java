package dev.jqlora.llama.config;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.config.Rope.Llama3Scaling;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;

/** The published Llama 3 models, so that memory can be planned before a checkpoint is fetched. */
public final class KnownConfigs {
  private static final SequencedMap<String, LlamaConfig> BY_NAME = byName();

  private KnownConfigs() {}

  /** All of them by name, such as {@code llama-3-8b}. */
  public static SequencedMap<String, LlamaConfig> all() {
    return BY_NAME;
  }

  public static Optional<LlamaConfig> named(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }

  /** The model of a name on the hub, such as {@code meta-llama/Meta-Llama-3-8B-Instruct}. */
  public static Optional<LlamaConfig> published(String hubName) {
    String name = hubName.substring(hubName.indexOf('/') + 1).toLowerCase(Locale.ROOT);
    return named(name.replaceFirst("^meta-", "").replaceFirst("-instruct$", ""));
  }

  private static SequencedMap<String, LlamaConfig> byName() {
    SequencedMap<String, LlamaConfig> configs = new LinkedHashMap<>();
    configs.put("llama-3-8b", llama(4096, 14336, 32, 32, 128, 8192, 1));
    configs.put("llama-3-70b", llama(8192, 28672, 80, 64, 128, 8192, 1));
    configs.put("llama-3.1-8b", llama(4096, 14336, 32, 32, 128, 131_072, 8));
    configs.put("llama-3.2-1b", llama(2048, 8192, 16, 32, 64, 131_072, 32));
    configs.put("llama-3.2-3b", llama(3072, 8192, 28, 24, 128, 131_072, 32));
    return Collections.unmodifiableSequencedMap(configs);
  }

  /** A member of the family; what they all share stands here. Those scaled by 32 also tie their embeddings. */
  private static LlamaConfig llama(int hiddenSize, int intermediateSize, int layers, int heads, int headDim,
      int maxPositions, int ropeFactor) {
    Optional<Llama3Scaling> scaling = ropeFactor == 1
        ? Optional.empty()
        : Optional.of(new Llama3Scaling(ropeFactor, 1, 4, 8192));
    SpecialIds ids = new SpecialIds(OptionalInt.of(128_000), List.of(128_001), OptionalInt.empty());
    return new LlamaConfig(128_256, hiddenSize, intermediateSize, layers, heads, 8, headDim, maxPositions, 1e-5,
        new Rope(500_000, scaling), ropeFactor == 32, 0.02, ids, Optional.of(DType.BF16), Optional.empty());
  }
}
