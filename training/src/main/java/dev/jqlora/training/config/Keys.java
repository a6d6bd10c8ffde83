package dev.jqlora.training.config;

import dev.jqlora.training.config.Key.Group;
import dev.jqlora.training.config.Key.Status;
import dev.jqlora.training.config.ValueType.Bool;
import dev.jqlora.training.config.ValueType.Bytes;
import dev.jqlora.training.config.ValueType.Int;
import dev.jqlora.training.config.ValueType.Options;
import dev.jqlora.training.config.ValueType.Real;
import dev.jqlora.training.config.ValueType.Reals;
import dev.jqlora.training.config.ValueType.Text;
import dev.jqlora.training.config.ValueType.Texts;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The table of keys. Names, defaults and meanings are LLaMA-Factory's (model, finetuning, data and generating
 * arguments) and transformers' (training arguments); the engine's are this project's. A supported key is a constant,
 * so that what reads it is found by its name; the others are rows only. {@code docs/configuration.md} is made from it.
 */
final class Keys {
  private static final Map<String, Key<?>> TABLE = new LinkedHashMap<>();

  private static final ValueType<String> TEXT = new Text();
  private static final ValueType<Boolean> FLAG = new Bool();
  private static final ValueType<Integer> COUNT = new Int(1, Integer.MAX_VALUE);
  private static final ValueType<Integer> COUNT_OR_ZERO = new Int(0, Integer.MAX_VALUE);
  private static final ValueType<Double> POSITIVE_OR_ZERO = new Real(0, Double.MAX_VALUE);
  private static final ValueType<Double> SHARE = new Real(0, 1);
  private static final ValueType<List<String>> NAMES = new Texts();

  private static final String ONE_PROCESS = "one process on one device trains here";
  private static final String NO_GENERATION = "training generates no text; the commands generate and chat have options for that";
  private static final String NO_DOWNLOAD = "nothing is downloaded from there; give a local folder or a name on the Hugging Face hub";
  private static final String EXACT_ATTENTION = "attention is exact, causal and chosen by the backend";
  private static final String ONLY_PT_SFT = "only stages pt and sft are trained";
  private static final String PLAIN_LORA = "supported are LoRA, rsLoRA (use_rslora) and LoRA+ (loraplus_lr_ratio)";
  private static final String BUILT_IN_OPTIMIZERS = "supported are the values of optim: adamw_torch, adamw_8bit, "
      + "paged_adamw_8bit, paged_adamw_32bit";
  private static final String NOT_PADDED = "sequences are not padded";
  private static final String DATA_IN_PROCESS = "rows are read and tokenized in the process itself";
  private static final String EXPORT_ONLY = "only read when a merged model is exported";
  private static final String BACKEND_PRECISION = "the backend decides: the CPU computes in float32";

  // @formatter:off
  static final Key<String> MODEL_NAME_OR_PATH = supported(Group.MODEL, "model_name_or_path", TEXT, null,
    "Folder of the base model (config.json, safetensors, tokenizer.json), or its name on the hub. Required.");
  static final Key<String> MODEL_REVISION = supported(Group.MODEL, "model_revision", TEXT, "main",
    "Branch, tag or commit of a model that is fetched from the hub.");
  static final Key<String> CACHE_DIR = supported(Group.MODEL, "cache_dir", TEXT, null,
    "Folder of models fetched from the hub. Default: the hub's own cache.");
  static final Key<String> HF_HUB_TOKEN = supported(Group.MODEL, "hf_hub_token", TEXT, null,
    "Token for gated models. Default: HF_TOKEN, then the stored one.");
  static final Key<List<String>> ADAPTER_NAME_OR_PATH = supported(Group.MODEL, "adapter_name_or_path", NAMES, null,
    "Folder of a LoRA adapter: a run's output_dir or a checkpoint-N in it. Training continues its A and B; its "
      + "adapter_config.json then decides rank, alpha, dropout and targets. One adapter only.");
  static final Key<String> ADAPTER_FOLDER = supported(Group.MODEL, "adapter_folder", TEXT, null,
    "Subfolder of adapter_name_or_path that holds the adapter.");
  static final Key<String> QUANTIZATION_BIT = supported(Group.MODEL, "quantization_bit",
    ValueType.words("4").refusing("only 4-bit NF4 is built in", "2", "3", "5", "6", "8"), null,
    "4 quantizes the linear layers to NF4 while loading (QLoRA).");
  static final Key<String> QUANTIZATION_METHOD = supported(Group.MODEL, "quantization_method",
    ValueType.words("bnb").alias("bitsandbytes", "bnb")
      .refusing("only bitsandbytes' NF4 is built in", "gptq", "awq", "aqlm", "quanto", "eetq", "hqq", "mxfp4", "fp8"),
    "bnb", "The only method; bitsandbytes is its older name.");
  static final Key<String> QUANTIZATION_TYPE = supported(Group.MODEL, "quantization_type",
    ValueType.words("nf4").refusing("only nf4 is built in", "fp4"), "nf4", "The 4-bit code.");
  static final Key<Boolean> DOUBLE_QUANTIZATION = supported(Group.MODEL, "double_quantization", FLAG, true,
    "Quantize the block scales (absmax) too.");
  static final Key<Boolean> QUANTIZE_HEAD = supported(Group.MODEL, "quantize_head", FLAG, false,
    "Quantize the output head to NF4 too: a quarter of its memory, less exact logits. Not LLaMA-Factory's, nor the "
      + "reference's: adapters trained so belong to such a head.");
  static final Key<Boolean> DISABLE_GRADIENT_CHECKPOINTING = supported(Group.MODEL, "disable_gradient_checkpointing",
    FLAG, false, "Keep each layer's intermediate values instead of computing them again in the backward pass.");

  static final Key<Stage> STAGE = supported(Group.FINETUNING, "stage",
    ValueType.choice(Stage.class).refusing(ONLY_PT_SFT, "rm", "ppo", "dpo", "kto"), Stage.SFT,
    "pt: next-token prediction on packed text; sft: answers to instructions.");
  static final Key<FinetuningType> FINETUNING_TYPE = supported(Group.FINETUNING, "finetuning_type",
    ValueType.choice(FinetuningType.class).refusing("adapters are LoRA", "oft", "freeze"), FinetuningType.LORA,
    "lora, or full for every parameter (not on a quantized model).");
  static final Key<Integer> LORA_RANK = supported(Group.FINETUNING, "lora_rank", new Int(1, 65536), 8,
    "Rank r of the adapters.");
  static final Key<Double> LORA_ALPHA = supported(Group.FINETUNING, "lora_alpha", new Real(1e-6, 1e9), null,
    "The adapters' output is scaled by lora_alpha / lora_rank. Default: 2 x lora_rank.");
  static final Key<Double> LORA_DROPOUT = supported(Group.FINETUNING, "lora_dropout", new Real(0, 0.999), 0.0,
    "Dropout on the adapters' input while training.");
  static final Key<List<String>> LORA_TARGET = supported(Group.FINETUNING, "lora_target", NAMES, List.of("all"),
    "Linear layers that get an adapter (q_proj, v_proj, ...), or all.");
  static final Key<Boolean> USE_RSLORA = supported(Group.FINETUNING, "use_rslora", FLAG, false,
    "Scale by lora_alpha / sqrt(lora_rank).");
  static final Key<Double> LORAPLUS_LR_RATIO = supported(Group.FINETUNING, "loraplus_lr_ratio", new Real(1e-9, 1e9),
    null, "LoRA+: B learns at this multiple of the learning rate.");
  static final Key<Boolean> COMPUTE_ACCURACY = supported(Group.FINETUNING, "compute_accuracy", FLAG, false,
    "Log the token accuracy at each evaluation.");
  static final Key<Boolean> DISABLE_SHUFFLING = supported(Group.FINETUNING, "disable_shuffling", FLAG, false,
    "Take the training rows in their order.");
  static final Key<Integer> EARLY_STOPPING_STEPS = supported(Group.FINETUNING, "early_stopping_steps", COUNT, null,
    "Stop after so many evaluations without a better metric.");
  static final Key<Boolean> PLOT_LOSS = supported(Group.FINETUNING, "plot_loss", FLAG, false,
    "Write training_loss.png (and training_eval_loss.png).");
  static final Key<Boolean> INCLUDE_EFFECTIVE_TOKENS = supported(Group.FINETUNING,
    "include_effective_tokens_per_second", FLAG, false, "Report the tokens per second over the whole run.");

  static final Key<List<String>> DATASET = supported(Group.DATA, "dataset", NAMES, null,
    "Datasets to train on, by their names in dataset_info.json.");
  static final Key<List<String>> EVAL_DATASET = supported(Group.DATA, "eval_dataset", NAMES, null,
    "Datasets to evaluate on. Excludes val_size.");
  static final Key<String> DATASET_DIR = supported(Group.DATA, "dataset_dir", TEXT, "data",
    "Folder of dataset_info.json and of the files that it names.");
  static final Key<String> TEMPLATE = supported(Group.DATA, "template", TEXT, null,
    "llama3, alpaca, default or empty. None means empty: chat templates inside tokenizers are not read.");
  static final Key<Integer> CUTOFF_LEN = supported(Group.DATA, "cutoff_len", new Int(2, 1 << 24), 2048,
    "Longest sequence in tokens; the block length of stage pt. One less with an explicit packing: true.");
  static final Key<Integer> MAX_SAMPLES = supported(Group.DATA, "max_samples", COUNT, null,
    "Take the first so many rows of each dataset.");
  static final Key<Boolean> PACKING = supported(Group.DATA, "packing", FLAG, null,
    "Fill sequences with several rows. Default: true for pt, false for sft.");
  static final Key<Boolean> NEAT_PACKING = supported(Group.DATA, "neat_packing", FLAG, false,
    "Pack (sft only) so that a row does not attend to its neighbours.");
  static final Key<Boolean> TRAIN_ON_PROMPT = supported(Group.DATA, "train_on_prompt", FLAG, false,
    "The loss counts the prompts too (sft only).");
  static final Key<Boolean> MASK_HISTORY = supported(Group.DATA, "mask_history", FLAG, false,
    "The loss counts a conversation's last answer only (sft only). Excludes train_on_prompt.");
  static final Key<Double> VAL_SIZE = supported(Group.DATA, "val_size", POSITIVE_OR_ZERO, 0.0,
    "Split rows off for evaluation: below 1 a share, above 1 a count.");
  static final Key<Boolean> EVAL_ON_EACH_DATASET = supported(Group.DATA, "eval_on_each_dataset", FLAG, false,
    "Evaluate each dataset of eval_dataset on its own.");
  static final Key<MixStrategy> MIX_STRATEGY = supported(Group.DATA, "mix_strategy",
    ValueType.choice(MixStrategy.class), MixStrategy.CONCAT, "How several datasets become one.");
  static final Key<List<Double>> INTERLEAVE_PROBS = supported(Group.DATA, "interleave_probs", new Reals(1e-4, 1), null,
    "Shares of the datasets when they are interleaved; they sum to 1. Default: in strict turns.");
  static final Key<Integer> PREPROCESSING_BATCH_SIZE = supported(Group.DATA, "preprocessing_batch_size", COUNT, 1000,
    "Rows per group of stage pt; what is left of a group after the last full block is dropped.");
  static final Key<String> DEFAULT_SYSTEM = supported(Group.DATA, "default_system", TEXT, null,
    "System text where a row has none, in place of the template's.");

  static final Key<String> OUTPUT_DIR = supported(Group.TRAINER, "output_dir", TEXT, "trainer_output",
    "Folder for the adapter, checkpoints, logs and plots.");
  static final Key<Boolean> DO_TRAIN = supported(Group.TRAINER, "do_train", FLAG, false, "Train.");
  static final Key<Boolean> DO_EVAL = supported(Group.TRAINER, "do_eval", FLAG, false,
    "Evaluate after training; true by itself where eval_strategy is not no.");
  static final Key<Boolean> OVERWRITE_OUTPUT_DIR = supported(Group.TRAINER, "overwrite_output_dir", FLAG, false,
    "Start anew although output_dir holds checkpoints.");
  static final Key<String> RESUME_FROM_CHECKPOINT = supported(Group.TRAINER, "resume_from_checkpoint", TEXT, null,
    "A checkpoint folder, or true for the newest in output_dir. Without it a run resumes by itself where output_dir "
      + "holds a checkpoint and overwrite_output_dir is false.");
  static final Key<Integer> TRAIN_BATCH_SIZE = supported(Group.TRAINER, "per_device_train_batch_size", COUNT, 8,
    "Sequences per forward and backward pass.");
  static final Key<Integer> EVAL_BATCH_SIZE = supported(Group.TRAINER, "per_device_eval_batch_size", COUNT, 8,
    "Sequences per evaluation pass.");
  static final Key<Integer> GRADIENT_ACCUMULATION_STEPS = supported(Group.TRAINER, "gradient_accumulation_steps", COUNT,
    1, "Passes per optimizer step. The loss is the mean over all learned tokens of the step.");
  static final Key<Double> NUM_TRAIN_EPOCHS = supported(Group.TRAINER, "num_train_epochs", new Real(1e-9, 1e9), 3.0,
    "Passes over the data, whole or in part.");
  static final Key<Integer> MAX_STEPS = supported(Group.TRAINER, "max_steps", new Int(-1, Integer.MAX_VALUE), -1,
    "Optimizer steps; above 0 it wins over num_train_epochs.");
  static final Key<Boolean> DATALOADER_DROP_LAST = supported(Group.TRAINER, "dataloader_drop_last", FLAG, false,
    "Leave out an epoch's last batch where it is not full.");
  static final Key<Integer> SEED = supported(Group.TRAINER, "seed", COUNT_OR_ZERO, 42,
    "Seed of initial adapter weights, dropout and data order.");
  static final Key<Integer> DATA_SEED = supported(Group.TRAINER, "data_seed", COUNT_OR_ZERO, null,
    "Seed of the data order. Default: seed.");

  static final Key<OptimizerType> OPTIM = supported(Group.TRAINER, "optim",
    ValueType.choice(OptimizerType.class).alias("adamw_torch_fused", OptimizerType.ADAMW_TORCH)
      .alias("adamw_bnb_8bit", OptimizerType.ADAMW_8BIT).alias("paged_adamw", OptimizerType.PAGED_ADAMW_32BIT)
      .refusing("it is not built in", "adamw_hf", "adafactor", "sgd", "adagrad", "lion_8bit", "lion_32bit",
        "paged_lion_8bit", "paged_lion_32bit", "ademamix", "rmsprop", "lomo", "adalomo", "grokadamw",
        "schedule_free_adamw", "galore_adamw", "apollo_adamw", "stable_adamw", "adamw_torch_8bit",
        "adamw_torch_4bit", "adamw_anyprecision"),
    OptimizerType.ADAMW_TORCH, "The optimizer.");
  static final Key<Double> LEARNING_RATE = supported(Group.TRAINER, "learning_rate", POSITIVE_OR_ZERO, 5e-5,
    "The rate at the schedule's top.");
  static final Key<Double> WEIGHT_DECAY = supported(Group.TRAINER, "weight_decay", POSITIVE_OR_ZERO, 0.0,
    "Decoupled weight decay; biases and norm weights have none.");
  static final Key<Double> ADAM_BETA1 = supported(Group.TRAINER, "adam_beta1", new Real(0, 0.9999999), 0.9,
    "Decay of the gradient's running mean.");
  static final Key<Double> ADAM_BETA2 = supported(Group.TRAINER, "adam_beta2", new Real(0, 0.9999999), 0.999,
    "Decay of the squared gradient's running mean.");
  static final Key<Double> ADAM_EPSILON = supported(Group.TRAINER, "adam_epsilon", POSITIVE_OR_ZERO, 1e-8,
    "Added to the denominator.");
  static final Key<Double> MAX_GRAD_NORM = supported(Group.TRAINER, "max_grad_norm", POSITIVE_OR_ZERO, 1.0,
    "Clip the gradients to this global L2 norm; 0 does not clip.");
  static final Key<SchedulerType> LR_SCHEDULER_TYPE = supported(Group.TRAINER, "lr_scheduler_type",
    ValueType.choice(SchedulerType.class).refusing("it is not built in", "greedy"), SchedulerType.LINEAR,
    "The learning rate schedule.");
  static final Key<Map<String, String>> LR_SCHEDULER_KWARGS = supported(Group.TRAINER, "lr_scheduler_kwargs",
    new Options(), null, "Parameters of the schedule, such as {num_cycles: 2} or {min_lr_rate: 0.1}.");
  static final Key<Double> WARMUP_STEPS = supported(Group.TRAINER, "warmup_steps", new Real(0, Integer.MAX_VALUE), 0.0,
    "Steps of warm-up; between 0 and 1 it is a share of all steps.");
  static final Key<Double> WARMUP_RATIO = supported(Group.TRAINER, "warmup_ratio", SHARE, 0.0,
    "Share of all steps to warm up in, where warmup_steps is 0.");

  static final Key<IntervalStrategy> LOGGING_STRATEGY = supported(Group.TRAINER, "logging_strategy",
    ValueType.choice(IntervalStrategy.class), IntervalStrategy.STEPS, "When to log.");
  static final Key<Double> LOGGING_STEPS = supported(Group.TRAINER, "logging_steps", POSITIVE_OR_ZERO, 500.0,
    "Log every so many steps; below 1 a share of all steps.");
  static final Key<Boolean> LOGGING_FIRST_STEP = supported(Group.TRAINER, "logging_first_step", FLAG, false,
    "Log the first step too.");
  static final Key<IntervalStrategy> SAVE_STRATEGY = supported(Group.TRAINER, "save_strategy",
    ValueType.choice(IntervalStrategy.class).refusing("use load_best_model_at_end", "best"), IntervalStrategy.STEPS,
    "When to write a checkpoint.");
  static final Key<Double> SAVE_STEPS = supported(Group.TRAINER, "save_steps", POSITIVE_OR_ZERO, 500.0,
    "Write a checkpoint every so many steps; below 1 a share of all steps.");
  static final Key<Integer> SAVE_TOTAL_LIMIT = supported(Group.TRAINER, "save_total_limit", COUNT, null,
    "Keep so many checkpoints, the best one always among them.");
  static final Key<Boolean> SAVE_ONLY_MODEL = supported(Group.TRAINER, "save_only_model", FLAG, false,
    "Leave optimizer and schedule out of checkpoints; they cannot be resumed then. A stop saves all.");
  static final Key<IntervalStrategy> EVAL_STRATEGY = supported(Group.TRAINER, "eval_strategy",
    ValueType.choice(IntervalStrategy.class), IntervalStrategy.NO, "When to evaluate during training.");
  static final Key<Double> EVAL_STEPS = supported(Group.TRAINER, "eval_steps", POSITIVE_OR_ZERO, null,
    "Evaluate every so many steps; below 1 a share of all steps. Default: logging_steps.");
  static final Key<Boolean> EVAL_ON_START = supported(Group.TRAINER, "eval_on_start", FLAG, false,
    "Evaluate before the first step.");
  static final Key<Boolean> LOAD_BEST_MODEL_AT_END = supported(Group.TRAINER, "load_best_model_at_end", FLAG, false,
    "End with the weights of the best evaluation, or of the last before it that was saved while the best.");
  static final Key<String> METRIC_FOR_BEST_MODEL = supported(Group.TRAINER, "metric_for_best_model",
    ValueType.words("loss", "accuracy", "perplexity").alias("eval_loss", "loss").alias("eval_accuracy", "accuracy")
      .alias("eval_perplexity", "perplexity"),
    "loss", "What best means. accuracy needs compute_accuracy; perplexity is logged by stage pt.");
  static final Key<Boolean> GREATER_IS_BETTER = supported(Group.TRAINER, "greater_is_better", FLAG, null,
    "Which way the metric improves. Default: false for loss and perplexity, true for accuracy.");

  static final Key<Boolean> BF16 = supported(Group.TRAINER, "bf16", FLAG, false,
    "Keep each layer's input for the backward pass in bfloat16 (carry_dtype) and, where the backend multiplies in it, all "
      + "values between a layer's ops (activation_dtype). The arithmetic is the backend's choice: the CPU computes in "
      + "float32.");

  static final Key<String> BACKEND = supported(Group.ENGINE, "backend", TEXT, null,
    "Backend that computes, by its name in jqlora devices. Default: the best one that is there.");
  static final Key<Integer> THREADS = supported(Group.ENGINE, "threads", new Int(1, 4096), null,
    "Threads of the CPU backend. Default: all processors. Results do not depend on it.");
  static final Key<Long> DEVICE_MEMORY = supported(Group.ENGINE, "device_memory", new Bytes(), null,
    "Limit on the device's memory, such as 8GB or 7.5GiB. A plan that does not fit is refused before it starts. "
      + "Default: what the device says is free; on the CPU none.");
  static final Key<String> CARRY_DTYPE = supported(Group.ENGINE, "carry_dtype",
    ValueType.words("auto", "float32", "bfloat16"), "auto",
    "How each layer's input is kept for the backward pass; bfloat16 takes half the memory and rounds what is computed "
      + "again. auto: bfloat16 with bf16: true, else float32. With disable_gradient_checkpointing always float32.");
  static final Key<String> ACTIVATION_DTYPE = supported(Group.ENGINE, "activation_dtype",
    ValueType.words("auto", "float32", "bfloat16"), "auto",
    "How training stores the values between the ops of a layer; sums, weights and what layers hand on stay float32. auto: "
      + "with bf16: true as the backend rounds factors of products, bfloat16 on a GPU's tensor cores and float32 on the "
      + "CPU, else float32.");
  static final Key<Boolean> QUIET = supported(Group.ENGINE, "quiet", FLAG, false,
    "No progress bar; one plain line per logged step.");
  static final Key<Boolean> DISABLE_TQDM = supported(Group.ENGINE, "disable_tqdm", FLAG, false,
    "transformers' name for quiet.");

  static {
    for (String key : List.of("ms_hub_token", "om_hub_token")) {
      noEffect(Group.MODEL, key, TEXT, null, NO_DOWNLOAD);
    }
    noEffect(Group.MODEL, "trust_remote_code", FLAG, false, "no foreign code is ever run");
    noEffect(Group.MODEL, "low_cpu_mem_usage", FLAG, true, "checkpoints are always read one tensor at a time");
    noEffect(Group.MODEL, "use_fast_tokenizer", FLAG, true, "tokenizer.json is the only kind read");
    noEffect(Group.MODEL, "flash_attn",
      ValueType.words("auto", "disabled", "sdpa", "fa2", "fa3"), "auto", EXACT_ATTENTION);
    noEffect(Group.MODEL, "quantization_device_map", TEXT, null, ONE_PROCESS);
    noEffect(Group.MODEL, "use_reentrant_gc", FLAG, true, "checkpointing has one form here");
    noEffect(Group.MODEL, "upcast_layernorm", FLAG, false, "norms are always computed in float32");
    noEffect(Group.MODEL, "upcast_lmhead_output", FLAG, false, "logits are always float32");
    noEffect(Group.MODEL, "use_unsloth", FLAG, false, "an acceleration of another library");
    noEffect(Group.MODEL, "use_unsloth_gc", FLAG, false, "an acceleration of another library");
    noEffect(Group.MODEL, "enable_liger_kernel", FLAG, false, "an acceleration of another library");
    noEffect(Group.MODEL, "infer_dtype", ValueType.words("auto", "float16", "bfloat16", "float32"), "auto",
      BACKEND_PRECISION);
    noEffect(Group.MODEL, "offload_folder", TEXT, "offload", "nothing is offloaded to a folder");
    noEffect(Group.MODEL, "use_kv_cache", FLAG, true, "generation always keeps its keys and values");
    noEffect(Group.MODEL, "use_cache", FLAG, true, "generation always keeps its keys and values");
    for (String key : List.of("export_dir", "export_hub_model_id")) {
      noEffect(Group.MODEL, key, TEXT, null, EXPORT_ONLY);
    }
    noEffect(Group.MODEL, "export_size", COUNT, 5, EXPORT_ONLY);
    noEffect(Group.MODEL, "export_device", TEXT, "cpu", EXPORT_ONLY);
    noEffect(Group.MODEL, "export_legacy_format", FLAG, false, EXPORT_ONLY);
    refused(Group.MODEL, "export_quantization_bit", COUNT, null, "quantized export is not built in");
    refused(Group.MODEL, "rope_scaling", TEXT, null, "the model's own config.json decides its rope scaling");
    refused(Group.MODEL, "shift_attn", FLAG, false, EXACT_ATTENTION);
    refused(Group.MODEL, "mixture_of_depths", TEXT, null, "Llama models only");
    refused(Group.MODEL, "resize_vocab", FLAG, false, "the vocabulary stays the checkpoint's");
    refused(Group.MODEL, "add_tokens", NAMES, null, "the vocabulary stays the checkpoint's");
    refused(Group.MODEL, "add_special_tokens", NAMES, null, "the vocabulary stays the checkpoint's");
    refused(Group.MODEL, "split_special_tokens", FLAG, false, "special tokens in a text are always one token");
    refused(Group.MODEL, "infer_backend",
      ValueType.words("huggingface").refusing("jqlora's own engine generates", "vllm", "sglang", "ktransformers"),
      "huggingface", "jqlora's own engine generates");

    noEffect(Group.FINETUNING, "loraplus_lr_embedding", POSITIVE_OR_ZERO, 1e-6,
      "the embedding has no adapter");
    refused(Group.FINETUNING, "additional_target", NAMES, null, "only adapters are trained beside a frozen model");
    refused(Group.FINETUNING, "create_new_adapter", FLAG, false,
      "training continues the adapter of adapter_name_or_path; leave that key out for a fresh one");
    refused(Group.FINETUNING, "use_dora", FLAG, false, PLAIN_LORA);
    refused(Group.FINETUNING, "pissa_init", FLAG, false, PLAIN_LORA);
    noEffect(Group.FINETUNING, "pissa_iter", new Int(-1, Integer.MAX_VALUE), 16, "PiSSA is not built in");
    refused(Group.FINETUNING, "pissa_convert", FLAG, false, PLAIN_LORA);
    refused(Group.FINETUNING, "use_llama_pro", FLAG, false, PLAIN_LORA);
    noEffect(Group.FINETUNING, "freeze_trainable_layers", new Int(Integer.MIN_VALUE, Integer.MAX_VALUE), 2,
      "finetuning_type freeze is not built in");
    noEffect(Group.FINETUNING, "freeze_trainable_modules", NAMES, List.of("all"),
      "finetuning_type freeze is not built in");
    refused(Group.FINETUNING, "pure_bf16", FLAG, false, "trained weights are float32");
    for (String key : List.of("use_galore", "use_apollo", "use_badam", "use_adam_mini", "use_muon")) {
      refused(Group.FINETUNING, key, FLAG, false, BUILT_IN_OPTIMIZERS);
    }
    for (String key : List.of("ref_model", "reward_model")) {
      refused(Group.FINETUNING, key, TEXT, null, ONLY_PT_SFT);
    }
    for (String key : List.of("pref_beta", "pref_ftx")) {
      refused(Group.FINETUNING, key, POSITIVE_OR_ZERO, null, ONLY_PT_SFT);
    }
    refused(Group.FINETUNING, "pref_loss", TEXT, null, ONLY_PT_SFT);
    refused(Group.FINETUNING, "use_dft_loss", FLAG, false, "the loss is the mean cross-entropy per token");
    noEffect(Group.FINETUNING, "use_swanlab", FLAG, false, "logs go to files in output_dir");

    noEffect(Group.DATA, "overwrite_cache", FLAG, false, "nothing is cached between runs");
    noEffect(Group.DATA, "preprocessing_num_workers", COUNT, null, DATA_IN_PROCESS);
    noEffect(Group.DATA, "ignore_pad_token_for_loss", FLAG, true, NOT_PADDED);
    noEffect(Group.DATA, "streaming", FLAG, false,
      "rows are read one by one and kept as token ids; the order is that of a run without it");
    noEffect(Group.DATA, "buffer_size", COUNT, 16384, "the order is that of a run without streaming");
    noEffect(Group.DATA, "tool_format", TEXT, null, "tool calls are not trained");
    noEffect(Group.DATA, "enable_thinking", FLAG, true, "no supported template has a reasoning part");
    noEffect(Group.DATA, "media_dir", TEXT, null, "text only");
    noEffect(Group.DATA, "data_shared_file_system", FLAG, false, ONE_PROCESS);
    refused(Group.DATA, "tokenized_path", TEXT, null,
      "for rows that are tokens already use a dataset with \"formatting\": \"tokenized\"");
    refused(Group.DATA, "eval_num_beams", COUNT, null, "beam search is not built in");

    for (String key : List.of("fp16", "bf16_full_eval", "fp16_full_eval", "tf32")) {
      noEffect(Group.TRAINER, key, FLAG, false, BACKEND_PRECISION);
    }
    noEffect(Group.TRAINER, "gradient_checkpointing", FLAG, false,
      "checkpointing is on unless disable_gradient_checkpointing is true");
    noEffect(Group.TRAINER, "gradient_checkpointing_kwargs", new Options(), null, "checkpointing has one form here");
    noEffect(Group.TRAINER, "report_to", NAMES, List.of("none"), "logs go to files in output_dir");
    for (String key : List.of("run_name", "logging_dir", "log_level")) {
      noEffect(Group.TRAINER, key, TEXT, null, "logs go to files in output_dir");
    }
    for (String key : List.of("deepspeed", "fsdp", "ddp_backend")) {
      noEffect(Group.TRAINER, key, TEXT, null, ONE_PROCESS);
    }
    noEffect(Group.TRAINER, "fsdp_config", new Options(), null, ONE_PROCESS);
    noEffect(Group.TRAINER, "ddp_timeout", COUNT, 1800, ONE_PROCESS);
    noEffect(Group.TRAINER, "ddp_find_unused_parameters", FLAG, null, ONE_PROCESS);
    noEffect(Group.TRAINER, "local_rank", new Int(-1, 1 << 20), -1, ONE_PROCESS);
    noEffect(Group.TRAINER, "torch_compile", FLAG, false, "every run is compiled to a plan first");
    noEffect(Group.TRAINER, "use_cpu", FLAG, false, "use the key backend");
    noEffect(Group.TRAINER, "dataloader_num_workers", COUNT_OR_ZERO, 0, DATA_IN_PROCESS);
    noEffect(Group.TRAINER, "dataloader_prefetch_factor", COUNT, null, DATA_IN_PROCESS);
    noEffect(Group.TRAINER, "dataloader_pin_memory", FLAG, true, DATA_IN_PROCESS);
    noEffect(Group.TRAINER, "dataloader_persistent_workers", FLAG, false, DATA_IN_PROCESS);
    noEffect(Group.TRAINER, "remove_unused_columns", FLAG, true, "columns that nothing names are never read");
    noEffect(Group.TRAINER, "label_names", NAMES, null, "labels have one name here");
    noEffect(Group.TRAINER, "prediction_loss_only", FLAG, false, "evaluation keeps no logits");
    noEffect(Group.TRAINER, "eval_accumulation_steps", COUNT, null, "evaluation keeps no logits");
    noEffect(Group.TRAINER, "save_safetensors", FLAG, true, "weights are always written as safetensors");
    noEffect(Group.TRAINER, "logging_nan_inf_filter", FLAG, true, "a loss that is not finite always ends the run");
    noEffect(Group.TRAINER, "include_num_input_tokens_seen", TEXT, "false", "tokens are always counted");
    noEffect(Group.TRAINER, "include_tokens_per_second", FLAG, false, "tokens per second are always logged");
    noEffect(Group.TRAINER, "full_determinism", FLAG, false, "runs are always deterministic");
    noEffect(Group.TRAINER, "average_tokens_across_devices", FLAG, true, ONE_PROCESS);
    noEffect(Group.TRAINER, "auto_find_batch_size", FLAG, false,
      "a batch that does not fit is refused before the run, with what to change");
    refused(Group.TRAINER, "ignore_data_skip", FLAG, false, "a resumed run equals an uninterrupted one");
    refused(Group.TRAINER, "do_predict", FLAG, false, "use jqlora evaluate or jqlora generate");
    refused(Group.TRAINER, "predict_with_generate", FLAG, false, "use jqlora evaluate or jqlora generate");
    refused(Group.TRAINER, "push_to_hub", FLAG, false, "nothing is uploaded");
    noEffect(Group.TRAINER, "hub_token", TEXT, null, "nothing is uploaded");
    noEffect(Group.TRAINER, "hub_model_id", TEXT, null, "nothing is uploaded");
    refused(Group.TRAINER, "optim_args", TEXT, null, BUILT_IN_OPTIMIZERS);
    refused(Group.TRAINER, "optim_target_modules", TEXT, null, BUILT_IN_OPTIMIZERS);
    refused(Group.TRAINER, "neftune_noise_alpha", POSITIVE_OR_ZERO, null, "use lora_dropout to regularise");
    refused(Group.TRAINER, "label_smoothing_factor", POSITIVE_OR_ZERO, 0.0,
      "the loss is the mean cross-entropy per token");
    refused(Group.TRAINER, "group_by_length", FLAG, false, "sequences are not padded, so it would gain nothing");
    refused(Group.TRAINER, "evaluation_strategy", TEXT, null, "it is now called eval_strategy");

    refused(Group.GENERATING, "num_beams", COUNT, 1, "beam search is not built in");
    noEffect(Group.GENERATING, "do_sample", FLAG, true, NO_GENERATION);
    noEffect(Group.GENERATING, "temperature", POSITIVE_OR_ZERO, 0.95, NO_GENERATION);
    noEffect(Group.GENERATING, "top_p", SHARE, 0.7, NO_GENERATION);
    noEffect(Group.GENERATING, "top_k", COUNT_OR_ZERO, 50, NO_GENERATION);
    noEffect(Group.GENERATING, "max_new_tokens", COUNT, 1024, NO_GENERATION);
    noEffect(Group.GENERATING, "repetition_penalty", new Real(1e-3, 1e3), 1.0, NO_GENERATION);
    noEffect(Group.GENERATING, "skip_special_tokens", FLAG, true, NO_GENERATION);
    noEffect(Group.GENERATING, "length_penalty", new Real(-1e9, 1e9), 1.0, "it acts in beam search only");
    noEffect(Group.GENERATING, "max_length", COUNT, 1024, NO_GENERATION);
  }
  // @formatter:on

  private Keys() {}

  /** All rows, in the order of the table. */
  static Collection<Key<?>> all() {
    return Collections.unmodifiableCollection(TABLE.values());
  }

  static @Nullable Key<?> named(String name) {
    return TABLE.get(name);
  }

  /** The key that is spelled most like {@code name}, where one is near enough to be meant. */
  static @Nullable String nearest(String name) {
    int allowed = Math.max(2, name.length() / 4);
    String best = null;
    for (String candidate : TABLE.keySet()) {
      int distance = EditDistance.between(name, candidate);
      if (distance <= allowed) {
        allowed = distance - 1;
        best = candidate;
      }
    }
    return best;
  }

  private static <T> Key<T> supported(Group group, String name, ValueType<T> type, @Nullable T defaultValue,
      String help) {
    return row(new Key<>(name, group, type, defaultValue, new Status.Supported(), help));
  }

  private static <T> void noEffect(Group group, String name, ValueType<T> type, @Nullable T defaultValue,
      String reason) {
    row(new Key<>(name, group, type, defaultValue, new Status.NoEffect(reason), reason));
  }

  private static <T> void refused(Group group, String name, ValueType<T> type, @Nullable T defaultValue,
      String reason) {
    row(new Key<>(name, group, type, defaultValue, new Status.Refused(reason), reason));
  }

  private static <T> Key<T> row(Key<T> key) {
    if (TABLE.put(key.name(), key) != null) {
      throw new IllegalStateException("key stands twice in the table: " + key.name());
    }
    return key;
  }
}
