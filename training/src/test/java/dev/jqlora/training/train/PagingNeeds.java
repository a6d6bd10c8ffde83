package dev.jqlora.training.train;

import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.ModelLoader;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.training.config.FinetuningArguments;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.OptimizerArguments;
import dev.jqlora.training.config.TrainingArguments;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** What a configuration's optimizer states ask of device memory by its plan: all of them, and the fewest at a time. */
record PagingNeeds(int pages, long allBytes, long workingSetBytes, Plan optimizerStep) {
  static PagingNeeds of(TrainingArguments arguments, Path model) {
    FinetuningArguments finetuning = arguments.finetuning();
    boolean full = finetuning.type() == FinetuningType.FULL;
    try (Checkpoint checkpoint = Checkpoint.open(model); CpuBackend backend = new CpuBackend(1)) {
      AdapterConfig adapter = new AdapterConfig(model.toString(), finetuning.loraRank(), finetuning.loraAlpha(),
          finetuning.loraDropout(), finetuning.useRslora(), AdapterConfig.targets(finetuning.loraTarget()));
      ModelLayout layout = new ModelLoader(LlamaConfig.read(model), checkpoint).layout(
          new ModelLoader.Options(Quantization.NONE, full, 512), full ? Optional.empty() : Optional.of(adapter.spec()));
      List<Trainable> trainables = Trainable.of(layout, finetuning.type());
      OptimizerArguments optimizer = arguments.trainer().optimizer();
      PageTable table = Trainable.pages(trainables, optimizer.type(), backend);
      Plan plan = Planner.plan(OptimizerProgram.of(trainables, optimizer), backend);
      return new PagingNeeds(table.pages().size(), table.totalBytes(), table.workingSetBytes(plan), plan);
    }
  }
}
