package dev.jqlora.training.evaluate;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.ModelLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One base model, seen with one adapter at a time. The base is loaded once for all variants whose adapters have states
 * of the same types; their values are overwritten in place. Only where types differ is it loaded again.
 */
final class VariantModels implements AutoCloseable {
  private final EvaluationSettings settings;
  private final int positions;
  private final Backend backend;
  private final long memoryLimitBytes;
  private final EvaluationListener listener;
  private @Nullable LoadedModel loaded;

  /** @param positions the longest sequence of the run, in tokens */
  VariantModels(EvaluationSettings settings, int positions, Backend backend, long memoryLimitBytes,
      EvaluationListener listener) {
    this.settings = settings;
    this.positions = positions;
    this.backend = backend;
    this.memoryLimitBytes = memoryLimitBytes;
    this.listener = listener;
  }

  /** The model of a variant, valid until the next call. */
  LoadedModel with(Variant variant) {
    Optional<LoraSpec> spec = variant.adapter().map(VariantModels::spec);
    LoadedModel model = loaded;
    if (model == null || spec.isPresent() && !hasStates(model, spec)) {
      close();
      model = load(spec.or(() -> firstSpec(settings.variants())));
      loaded = model;
    }
    LoadedModel adapted = model.withLora(spec);
    variant.adapter().ifPresent(folder -> AdapterFiles.load(folder, adapted.layout(), adapted.session()));
    return adapted;
  }

  private static LoraSpec spec(Path adapter) {
    return AdapterConfig.read(adapter).spec();
  }

  private static Optional<LoraSpec> firstSpec(List<Variant> variants) {
    return variants.stream().flatMap(variant -> variant.adapter().stream()).findFirst().map(VariantModels::spec);
  }

  private static boolean hasStates(LoadedModel model, Optional<LoraSpec> spec) {
    ModelLayout layout = model.layout();
    return layout.adapterStates().equals(layout.withLora(spec).adapterStates());
  }

  private LoadedModel load(Optional<LoraSpec> spec) {
    EvaluationSettings.Base base = settings.base();
    int layers = LlamaConfig.read(base.folder()).layers();
    return LoadedModel.open(backend, memoryLimitBytes, base.folder(),
        new ModelLoader.Options(base.quantization(), false, positions), spec,
        layer -> listener.progress("loading layers", layer, layers));
  }

  @Override
  public void close() {
    if (loaded != null) {
      loaded.close();
      loaded = null;
    }
  }
}
