package dev.jqlora.training.data;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * How a conversation becomes token ids. Each piece is tokenized on its own, so text never merges with the marks around
 * it. Templates are those of LLaMA-Factory under the same names.
 */
public enum Template {
  /** Llama 3's header marks; an answer ends with {@code <|eot_id|>}. */
  LLAMA3(List.of(new Piece.Bos()),
      List.of(new Piece.Text("<|start_header_id|>system<|end_header_id|>\n\n{{content}}<|eot_id|>")),
      List.of(new Piece.Text("<|start_header_id|>user<|end_header_id|>\n\n{{content}}<|eot_id|>"
          + "<|start_header_id|>assistant<|end_header_id|>\n\n")),
      List.of(new Piece.Text("{{content}}<|eot_id|>")), "", "<|eot_id|>"),

  /** "### Instruction:" and "### Response:"; no beginning-of-text token. */
  ALPACA(List.of(), List.of(new Piece.Text("{{content}}")),
      List.of(new Piece.Text("### Instruction:\n{{content}}\n\n### Response:\n")),
      List.of(new Piece.Text("{{content}}"), new Piece.Eos(), new Piece.Text("\n\n")),
      "Below is an instruction that describes a task. "
          + "Write a response that appropriately completes the request.\n\n",
      null),

  /** "Human:" and "Assistant:". */
  DEFAULT(List.of(), List.of(new Piece.Text("System: {{content}}"), new Piece.Eos(), new Piece.Text("\n")),
      List.of(new Piece.Text("Human: {{content}}"), new Piece.Eos(), new Piece.Text("\nAssistant:")),
      List.of(new Piece.Text("{{content}}"), new Piece.Eos(), new Piece.Text("\n")), "", null),

  /** The texts as they are, without an end token. */
  EMPTY(List.of(), List.of(new Piece.Text("{{content}}")), List.of(new Piece.Text("{{content}}")),
      List.of(new Piece.Text("{{content}}")), "", null);

  private static final String PLACEHOLDER = "{{content}}";

  private final List<Piece> prefix;
  private final List<Piece> system;
  private final List<Piece> user;
  private final List<Piece> assistant;
  private final String defaultSystem;
  private final @Nullable String endToken;

  Template(List<Piece> prefix, List<Piece> system, List<Piece> user, List<Piece> assistant, String defaultSystem,
      @Nullable String endToken) {
    this.prefix = prefix;
    this.system = system;
    this.user = user;
    this.assistant = assistant;
    this.defaultSystem = defaultSystem;
    this.endToken = endToken;
  }

  /** A part of a turn: text, or a token that only the tokenizer knows. */
  private sealed interface Piece {
    record Text(String text) implements Piece {}

    record Bos() implements Piece {}

    record Eos() implements Piece {}
  }

  /**
   * A user turn with what stands before it, and the answer to it.
   *
   * @param source prefix, system and user ids
   * @param target assistant ids, the end token among them
   */
  public record EncodedTurn(int[] source, int[] target) {}

  /**
   * The template of a name; none means {@link #EMPTY}.
   *
   * @throws JqloraException {@code CONFIG} for another name
   */
  public static Template named(@Nullable String name) {
    return switch (name == null ? "empty" : name) {
      case "llama3" -> LLAMA3;
      case "alpaca" -> ALPACA;
      case "default" -> DEFAULT;
      case "empty" -> EMPTY;
      default -> throw new JqloraException(Kind.CONFIG,
          "template: expected one of llama3, alpaca, default, empty, got " + FileErrors.quoted(String.valueOf(name)));
    };
  }

  /** The system text of a conversation that has none. */
  public String defaultSystem() {
    return defaultSystem;
  }

  /**
   * The id that ends an answer under this template.
   *
   * @throws JqloraException {@code CONFIG} where the tokenizer has no such token
   */
  public int endId(Tokenizer tokenizer) {
    if (endToken != null) {
      return tokenizer.id(endToken).orElseThrow(() -> lacks(endToken));
    }
    return tokenizer.eosId().orElseThrow(() -> lacks("an end-of-text token"));
  }

  /** The id that fills a sequence up: the tokenizer's own, else the end id. Labels of it are not learned in pt. */
  public OptionalInt padId(Tokenizer tokenizer) {
    if (tokenizer.padId().isPresent()) {
      return tokenizer.padId();
    }
    return endToken != null ? OptionalInt.of(endId(tokenizer)) : tokenizer.eosId();
  }

  /**
   * The ids of a conversation, in pairs.
   *
   * @param turns user and assistant in turns, as many of the one as of the other
   * @param systemText the system text; empty for none
   */
  public List<EncodedTurn> encode(Tokenizer tokenizer, List<String> turns, String systemText) {
    var encoded = new ArrayList<EncodedTurn>();
    for (int i = 0; i + 1 < turns.size(); i += 2) {
      encoded.add(new EncodedTurn(source(tokenizer, turns.get(i), i == 0, systemText),
          ids(tokenizer, assistant, turns.get(i + 1)).toArray()));
    }
    return encoded;
  }

  /**
   * The ids that a model is to continue with an answer.
   *
   * @param turns user and assistant in turns, the last one the user's
   */
  public int[] encodePrompt(Tokenizer tokenizer, List<String> turns, String systemText) {
    if (turns.size() % 2 == 0) {
      throw new IllegalArgumentException("a prompt ends with a user turn");
    }
    var ids = IntStream.builder();
    encode(tokenizer, turns, systemText).forEach(turn -> {
      IntStream.of(turn.source()).forEach(ids);
      IntStream.of(turn.target()).forEach(ids);
    });
    IntStream.of(source(tokenizer, turns.getLast(), turns.size() == 1, systemText)).forEach(ids);
    return ids.build().toArray();
  }

  private int[] source(Tokenizer tokenizer, String userText, boolean first, String systemText) {
    IntStream ids = ids(tokenizer, user, userText);
    if (first) {
      IntStream systemIds = systemText.isEmpty() ? IntStream.empty() : ids(tokenizer, system, systemText);
      ids = IntStream.concat(ids(tokenizer, prefix, ""), IntStream.concat(systemIds, ids));
    }
    return ids.toArray();
  }

  private IntStream ids(Tokenizer tokenizer, List<Piece> pieces, String content) {
    return pieces.stream().flatMapToInt(piece -> switch (piece) {
      case Piece.Text(String text) -> IntStream.of(textIds(tokenizer, text, content));
      case Piece.Bos() -> tokenizer.bosId().stream();
      case Piece.Eos() -> IntStream.of(endId(tokenizer));
    });
  }

  private int[] textIds(Tokenizer tokenizer, String piece, String content) {
    int at = piece.indexOf(PLACEHOLDER);
    String text = at < 0 ? piece : piece.substring(0, at) + content + piece.substring(at + PLACEHOLDER.length());
    return text.isEmpty() ? new int[0] : tokenizer.encode(text);
  }

  private JqloraException lacks(String what) {
    return new JqloraException(Kind.CONFIG, "template " + name().toLowerCase(Locale.ROOT) + " needs " + what
        + ", which this model's tokenizer does not have; expected another template");
  }
}
