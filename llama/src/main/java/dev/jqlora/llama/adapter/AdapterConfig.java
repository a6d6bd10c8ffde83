package dev.jqlora.llama.adapter;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.Projection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A LoRA adapter as {@code adapter_config.json} of PEFT 0.18 describes it.
 *
 * @param baseModel the base model's folder or name as it was given in training, where the file says it
 * @param rank of every projection that {@code rankPattern} does not name
 * @param alpha of every projection that {@code alphaPattern} does not name; with the rank it gives the scale
 * @param dropout probability that an element of an adapter's input is dropped in training, from 0 to below 1
 * @param rsLora whether the scale is alpha / √rank rather than alpha / rank
 * @param targets the adapted projections, at least one
 */
public record AdapterConfig(Optional<String> baseModel, int rank, double alpha, double dropout, boolean rsLora,
    Set<Projection> targets, Map<Projection, Integer> rankPattern, Map<Projection, Double> alphaPattern) {
  public static final String FILE = "adapter_config.json";

  private static final int MAXIMUM_RANK = 1 << 16;

  public AdapterConfig {
    targets = Collections.unmodifiableSet(EnumSet.copyOf(targets));
    rankPattern = Map.copyOf(rankPattern);
    alphaPattern = Map.copyOf(alphaPattern);
  }

  /** An adapter of the same rank and alpha for all its projections. */
  public AdapterConfig(String baseModel, int rank, double alpha, double dropout, boolean rsLora,
      Set<Projection> targets) {
    this(Optional.of(baseModel), rank, alpha, dropout, rsLora, targets, Map.of(), Map.of());
  }

  /**
   * Reads the description of an adapter.
   *
   * @param folder a run's folder or one of its checkpoints
   * @throws JqloraException {@code MODEL} where there is none, where it is not understood, or where it asks for
   *   arithmetic that is not done here
   */
  public static AdapterConfig read(Path folder) {
    Path file = folder.resolve(FILE);
    if (!Files.exists(file)) {
      throw AdapterFiles.missing(folder, FILE);
    }
    return of(JsonObject.read(file));
  }

  /** Reads the content of an {@code adapter_config.json}: unknown keys pass, absent ones have PEFT's defaults. */
  public static AdapterConfig of(JsonObject json) {
    UnsupportedAdapter.check(json);
    int rank = rank(json, "r", json.intValue("r", 8));
    double dropout = json.number("lora_dropout", 0);
    if (!(dropout >= 0 && dropout < 1)) {
      throw json.wrong("lora_dropout", "a probability from 0 to below 1");
    }
    return new AdapterConfig(json.optionalText("base_model_name_or_path"), rank, json.positive("lora_alpha", 8),
        dropout, json.bool("use_rslora", false), targets(json), pattern(json, "rank_pattern", (ranks, name) -> rank(
            ranks, name, ranks.positiveInt(name))),
        pattern(json, "alpha_pattern", JsonObject::positive));
  }

  private static int rank(JsonObject json, String key, int rank) {
    if (rank < 1 || rank > MAXIMUM_RANK) {
      throw json.wrong(key, "a rank from 1 to " + MAXIMUM_RANK);
    }
    return rank;
  }

  private static Set<Projection> targets(JsonObject json) {
    JsonNode value = json.node().path("target_modules");
    if (value.isTextual() && value.textValue().equals("all-linear")) {
      return EnumSet.allOf(Projection.class);
    }
    if (!(value instanceof ArrayNode names) || names.isEmpty()) {
      throw json.wrong("target_modules", "\"all-linear\" or a list of %s (patterns are not supported)".formatted(
          titles()));
    }
    EnumSet<Projection> targets = EnumSet.noneOf(Projection.class);
    for (JsonNode name : names) {
      targets.add(Projection.named(name.asText()).orElseThrow(() -> json.error(
          "\"target_modules\" names %s, which is no linear layer of Llama's decoder; expected some of %s".formatted(
              quoted(name.asText()), titles()))));
    }
    return targets;
  }

  private static <T> Map<Projection, T> pattern(JsonObject json, String key, PatternValue<T> value) {
    Map<Projection, T> pattern = new EnumMap<>(Projection.class);
    json.object(key).ifPresent(entries -> entries.fields().forEach(entry -> {
      Projection projection = Projection.named(entry.getKey()).orElseThrow(() -> entries.error(
          "the pattern %s is not supported; expected one of %s".formatted(quoted(entry.getKey()), titles())));
      pattern.put(projection, value.read(entries, entry.getKey()));
    }));
    return pattern;
  }

  @FunctionalInterface
  private interface PatternValue<T> {
    T read(JsonObject entries, String key);
  }

  private static String titles() {
    return Arrays.stream(Projection.values()).map(Projection::title).collect(Collectors.joining(", "));
  }

  /**
   * The projections that {@code lora_target} means.
   *
   * @param names of projections, or {@code all} alone
   * @throws JqloraException {@code CONFIG} for a name that is no linear layer of Llama's decoder
   */
  public static Set<Projection> targets(Collection<String> names) {
    if (names.size() == 1 && names.contains("all")) {
      return EnumSet.allOf(Projection.class);
    }
    return names.stream().map(name -> Projection.named(name).orElseThrow(() -> new JqloraException(Kind.CONFIG,
        "lora_target names %s, which is no linear layer of Llama's decoder; expected all, or some of %s".formatted(
            quoted(name), titles()))))
        .collect(Collectors.toCollection(() -> EnumSet.noneOf(Projection.class)));
  }

  /** What the graph needs to know of this adapter. */
  public LoraSpec spec() {
    SequencedMap<Projection, Integer> ranks = new LinkedHashMap<>();
    Map<Projection, Float> scales = new EnumMap<>(Projection.class);
    for (Projection projection : targets) {
      int ownRank = rankPattern.getOrDefault(projection, rank);
      double ownAlpha = alphaPattern.getOrDefault(projection, alpha);
      ranks.put(projection, ownRank);
      scales.put(projection, (float) (ownAlpha / (rsLora ? Math.sqrt(ownRank) : ownRank)));
    }
    return new LoraSpec(ranks, scales, (float) dropout);
  }

  /**
   * A notice where the base model at hand has another name than the one the adapter was made for. Names are compared
   * by their last part, since folders move.
   */
  public Optional<String> baseMismatch(String modelNameOrPath) {
    return baseModel.filter(name -> !lastPart(name).equals(lastPart(modelNameOrPath))).map(
        name -> "the adapter was trained on %s and is now used with %s; its figures hold for its own base model only"
            .formatted(quoted(name), quoted(modelNameOrPath)));
  }

  private static String lastPart(String name) {
    String trimmed = name.replaceAll("[/\\\\]+$", "");
    return trimmed.substring(Math.max(trimmed.lastIndexOf('/'), trimmed.lastIndexOf('\\')) + 1);
  }

  /** The content of {@code adapter_config.json}: PEFT 0.18.1's keys, sorted. */
  public ObjectNode toJson() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.putNull("alora_invocation_tokens");
    json.set("alpha_pattern", patternJson(alphaPattern, AdapterConfig::number));
    json.putNull("arrow_config");
    json.putNull("auto_mapping");
    json.put("base_model_name_or_path", baseModel.orElse(null));
    json.put("bias", "none");
    json.putNull("corda_config");
    json.put("ensure_weight_tying", false);
    json.putNull("eva_config");
    json.putNull("exclude_modules");
    json.put("fan_in_fan_out", false);
    json.put("inference_mode", true);
    json.put("init_lora_weights", true);
    json.putNull("layer_replication");
    json.putNull("layers_pattern");
    json.putNull("layers_to_transform");
    json.putObject("loftq_config");
    json.set("lora_alpha", number(alpha));
    json.put("lora_bias", false);
    json.put("lora_dropout", dropout);
    json.putNull("megatron_config");
    json.put("megatron_core", "megatron.core");
    json.putNull("modules_to_save");
    json.put("peft_type", "LORA");
    json.put("peft_version", "0.18.1");
    json.put("qalora_group_size", 16);
    json.put("r", rank);
    json.set("rank_pattern", patternJson(rankPattern, json::numberNode));
    json.putNull("revision");
    ArrayNode names = json.putArray("target_modules");
    targets.forEach(projection -> names.add(projection.title()));
    json.putNull("target_parameters");
    json.put("task_type", "CAUSAL_LM");
    json.putNull("trainable_token_indices");
    json.put("use_dora", false);
    json.put("use_qalora", false);
    json.put("use_rslora", rsLora);
    return json;
  }

  /** A whole alpha is an integer in PEFT's files. */
  private static JsonNode number(double value) {
    var nodes = JsonNodeFactory.instance;
    return value == (int) value ? nodes.numberNode((int) value) : nodes.numberNode(value);
  }

  private static <T> ObjectNode patternJson(Map<Projection, T> pattern, Function<T, JsonNode> value) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    pattern.entrySet().stream().sorted(Map.Entry.comparingByKey()).forEach(entry -> json.set(entry.getKey().title(),
        value.apply(entry.getValue())));
    return json;
  }

  /** Writes {@code adapter_config.json} into a folder; like PEFT's, it has no newline at its end. */
  public void write(Path folder) {
    AtomicFile.write(folder.resolve(FILE), JsonObject.pretty(toJson()).stripTrailing());
  }
}
