package dev.jqlora.llama.tokenizer;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.JsonObject;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Learns a small byte-level byte-pair tokenizer of Llama 3's kind from a text: the 256 bytes come first, then the pairs
 * in the order in which they were merged, then {@link #SPECIAL_TOKENS}. No text is unknown to it. The same text gives
 * the same file. Meant for texts of some hundred kilobytes; the published models bring their own tokenizers.
 */
public final class BytePairTrainer {
  public static final String BEGIN_OF_TEXT = "<|begin_of_text|>";
  public static final String END_OF_TEXT = "<|end_of_text|>";
  /** In the order of their ids, the last of the vocabulary. */
  public static final List<String> SPECIAL_TOKENS = List.of(BEGIN_OF_TEXT, END_OF_TEXT, "<|start_header_id|>",
      "<|end_header_id|>", "<|eot_id|>");

  private static final int BYTES = 256;
  /** How Llama 3 cuts a text before merging: contractions, words, up to three digits, punctuation, line ends, spaces. */
  private static final String PIECE = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
      + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  /** The merges as pairs of ids; the i-th makes the id {@value #BYTES} + i. */
  private final List<Pair> merges;

  private BytePairTrainer(List<Pair> merges) {
    this.merges = merges;
  }

  private record Pair(int left, int right) {}

  /**
   * Learns from a text.
   *
   * @param vocabSize ids wanted, special tokens included; fewer come where no pair is left that occurs twice
   */
  public static BytePairTrainer learn(String text, int vocabSize) {
    int wanted = vocabSize - BYTES - SPECIAL_TOKENS.size();
    if (wanted < 0) {
      throw new IllegalArgumentException("a vocabulary of " + vocabSize + " has no room for all bytes");
    }
    return new BytePairTrainer(new Learning(text).merges(wanted));
  }

  /** Number of ids, special tokens included. */
  public int vocabSize() {
    return BYTES + merges.size() + SPECIAL_TOKENS.size();
  }

  /** The id of one of {@link #SPECIAL_TOKENS}. */
  public int specialId(String token) {
    return BYTES + merges.size() + SPECIAL_TOKENS.indexOf(token);
  }

  /** The state of {@link #learn}: the distinct pieces of the text and how often each pair stands in them. */
  private static final class Learning {
    private final Map<Pair, Long> counts = new HashMap<>();
    private final Map<Pair, Set<Piece>> holders = new HashMap<>();

    /** A distinct piece, as the ids that it consists of so far. */
    private static final class Piece {
      final long occurrences;
      int[] ids;

      Piece(String text, long occurrences) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        this.occurrences = occurrences;
        this.ids = new int[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
          ids[i] = Byte.toUnsignedInt(bytes[i]);
        }
      }

      void merge(Pair pair, int merged) {
        int[] result = new int[ids.length];
        int length = 0;
        for (int i = 0; i < ids.length; i++) {
          boolean found = i + 1 < ids.length && ids[i] == pair.left && ids[i + 1] == pair.right;
          result[length++] = found ? merged : ids[i];
          i += found ? 1 : 0;
        }
        ids = Arrays.copyOf(result, length);
      }
    }

    Learning(String text) {
      Map<String, Long> pieces = new HashMap<>();
      Matcher matcher = Pattern.compile(PIECE, Pattern.UNICODE_CHARACTER_CLASS).matcher(text);
      while (matcher.find()) {
        pieces.merge(matcher.group(), 1L, Long::sum);
      }
      pieces.forEach((piece, occurrences) -> count(new Piece(piece, occurrences), 1));
    }

    /** Adds the pairs of a piece to the counts, or with sign -1 takes them out. */
    private void count(Piece piece, int sign) {
      for (int i = 0; i + 1 < piece.ids.length; i++) {
        Pair pair = new Pair(piece.ids[i], piece.ids[i + 1]);
        counts.merge(pair, sign * piece.occurrences, Long::sum);
        holders.computeIfAbsent(pair, _ -> new HashSet<>()).add(piece);
      }
    }

    List<Pair> merges(int wanted) {
      Comparator<Map.Entry<Pair, Long>> commonest = Map.Entry.<Pair, Long>comparingByValue()
          .thenComparing(entry -> -entry.getKey().left).thenComparing(entry -> -entry.getKey().right);
      List<Pair> merges = new ArrayList<>();
      while (merges.size() < wanted) {
        var best = counts.entrySet().stream().max(commonest);
        if (best.isEmpty() || best.get().getValue() < 2) {
          break;
        }
        Pair pair = best.get().getKey();
        int merged = BYTES + merges.size();
        for (Piece piece : List.copyOf(holders.getOrDefault(pair, Set.of()))) {
          count(piece, -1);
          piece.merge(pair, merged);
          count(piece, 1);
        }
        counts.remove(pair);
        holders.remove(pair);
        merges.add(pair);
      }
      return List.copyOf(merges);
    }
  }

  /** Writes {@code tokenizer.json} and {@code tokenizer_config.json} into a model folder. */
  public void write(Path folder) {
    AtomicFile.write(folder.resolve(TokenizerFiles.TOKENIZER), JsonObject.pretty(tokenizer()));
    AtomicFile.write(folder.resolve(TokenizerFiles.CONFIG), JsonObject.pretty(config()));
  }

  private ObjectNode tokenizer() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("version", "1.0").putNull("truncation").putNull("padding");
    ArrayNode added = json.putArray("added_tokens");
    for (String token : SPECIAL_TOKENS) {
      added.addObject().put("id", specialId(token)).put("content", token).put("single_word", false)
          .put("lstrip", false).put("rstrip", false).put("normalized", false).put("special", true);
    }
    json.putNull("normalizer");
    ArrayNode steps = json.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
    steps.addObject().put("type", "Split").put("behavior", "Isolated").put("invert", false).putObject("pattern")
        .put("Regex", PIECE);
    byteLevel(steps.addObject());
    byteLevel(json.putObject("post_processor"));
    byteLevel(json.putObject("decoder"));
    ObjectNode model = json.putObject("model").put("type", "BPE").putNull("dropout").putNull("unk_token")
        .putNull("continuing_subword_prefix").putNull("end_of_word_suffix").put("fuse_unk", false)
        .put("byte_fallback", false).put("ignore_merges", false);
    List<String> tokens = tokens();
    ObjectNode vocabulary = model.putObject("vocab");
    for (int id = 0; id < tokens.size(); id++) {
      vocabulary.put(tokens.get(id), id);
    }
    ArrayNode pairs = model.putArray("merges");
    merges.forEach(pair -> pairs.add(tokens.get(pair.left) + " " + tokens.get(pair.right)));
    return json;
  }

  private static void byteLevel(ObjectNode part) {
    part.put("type", "ByteLevel").put("add_prefix_space", false).put("trim_offsets", true).put("use_regex", false);
  }

  /** All tokens but the special ones, spelled as byte-level files do. */
  private List<String> tokens() {
    List<String> tokens = new ArrayList<>();
    int beyondBytes = BYTES;
    for (int value = 0; value < BYTES; value++) {
      // GPT-2's spelling: a byte that Latin-1 prints is its character, the others are U+0100 and on in their order.
      boolean printable = value > ' ' && value < 0x7f || value > 0xa0 && value != 0xad;
      tokens.add(String.valueOf((char) (printable ? value : beyondBytes++)));
    }
    merges.forEach(pair -> tokens.add(tokens.get(pair.left) + tokens.get(pair.right)));
    return tokens;
  }

  private static ObjectNode config() {
    return JsonNodeFactory.instance.objectNode().put("bos_token", BEGIN_OF_TEXT)
        .put("clean_up_tokenization_spaces", false).put("eos_token", END_OF_TEXT)
        .put("tokenizer_class", "PreTrainedTokenizerFast");
  }
}
