package dev.jqlora.training.train;

import dev.jqlora.engine.backend.MemoryRules;
import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.OptimizerType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;

/**
 * A state that is trained.
 *
 * @param type F32; where {@code count} is above 1 its first axis stacks that many tensors of the reference
 * @param count tensors of the reference that the state stacks: one per layer, or 1
 */
record Trainable(String state, TensorType type, int count, Group group) {
  /** Tensors that share their rates. */
  enum Group {
    DECAY, NO_DECAY, LORA_B;

    /** The feed of the group's rates, F32 {@code [3]}. */
    String feed() {
      return "rates." + name().toLowerCase(Locale.ROOT);
    }
  }

  /** bitsandbytes keeps the moments of smaller tensors in float32 ({@code min_8bit_size}). */
  private static final long MIN_8BIT_ELEMENTS = 4096;

  /** What is trained of a model: its adapters, or all of it but the rotary tables. */
  static List<Trainable> of(ModelLayout layout, FinetuningType type) {
    int layers = layout.config().layers();
    List<Trainable> trainables = new ArrayList<>();
    switch (type) {
      case LORA -> layout.adapterStates().forEach((state, tensor) -> trainables
          .add(new Trainable(state, tensor, layers, state.endsWith(".B") ? Group.LORA_B : Group.DECAY)));
      case FULL -> {
        layout.outerStates().forEach((state, tensor) -> {
          if (!state.equals(ModelLayout.ROPE_COS) && !state.equals(ModelLayout.ROPE_SIN)) {
            trainables.add(new Trainable(state, tensor, 1, decay(state)));
          }
        });
        layout.layerStates()
            .forEach((state, tensor) -> trainables.add(new Trainable(state, tensor, layers, decay(state))));
      }
    }
    return trainables;
  }

  private static Group decay(String state) {
    return state.contains("norm") ? Group.NO_DECAY : Group.DECAY;
  }

  /** The state that sums the gradient over the micro-batches of an update. */
  String gradient() {
    return "gradient." + state;
  }

  /** Whether the optimizer keeps 8-bit moments for it; the reference's trainer keeps 32 bits for embedding tables. */
  boolean is8bit(OptimizerType optimizer) {
    return switch (optimizer) {
      case ADAMW_8BIT, PAGED_ADAMW_8BIT ->
        type.elements() / count >= MIN_8BIT_ELEMENTS && !state.equals(ModelLayout.EMBED_TOKENS);
      case ADAMW_TORCH, PAGED_ADAMW_32BIT -> false;
    };
  }

  /**
   * The pages of the optimizer's states for such parameters: a page holds one state of one tensor of the reference.
   * bitsandbytes leaves states of less than 100,000 elements out, and absmax, since each page costs its driver an
   * allocation; here a page costs nothing but its bytes, so all states are in pages, and the least memory is less.
   */
  static PageTable pages(List<Trainable> trainables, OptimizerType optimizer, MemoryRules rules) {
    PageTable pages = rules.pageTable();
    if (optimizer.isPaged()) {
      trainables.forEach(trainable -> trainable.optimizerStates(optimizer)
          .forEach((state, type) -> pages.add(state, type, trainable.count())));
    }
    return pages;
  }

  /** Makes gradient and optimizer states, all zero. */
  void allocate(Session session, OptimizerType optimizer) {
    session.allocate(gradient(), type);
    optimizerStates(optimizer).forEach((state, tensor) -> {
      if (optimizer.isPaged()) {
        session.allocatePaged(state, tensor, count);
      } else {
        session.allocate(state, tensor);
      }
    });
  }

  /** All that an optimizer step changes: the parameter, its gradient and the optimizer's states. */
  SequencedMap<String, TensorType> updatedStates(OptimizerType optimizer) {
    SequencedMap<String, TensorType> states = new LinkedHashMap<>();
    states.put(state, type);
    states.put(gradient(), type);
    states.putAll(optimizerStates(optimizer));
    return states;
  }

  /** The optimizer's states for it, in the order of the op's outputs after the parameter. */
  SequencedMap<String, TensorType> optimizerStates(OptimizerType optimizer) {
    SequencedMap<String, TensorType> states = new LinkedHashMap<>();
    if (is8bit(optimizer)) {
      TensorType codes = new TensorType(DType.U8, type.shape());
      TensorType absmax = new AdamW8bit(count, 0, 0, 0).absmaxType(type);
      states.put("optimizer." + state + ".state1", codes);
      states.put("optimizer." + state + ".absmax1", absmax);
      states.put("optimizer." + state + ".state2", codes);
      states.put("optimizer." + state + ".absmax2", absmax);
    } else {
      states.put("optimizer." + state + ".state1", type);
      states.put("optimizer." + state + ".state2", type);
    }
    return states;
  }
}
