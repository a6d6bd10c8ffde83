package dev.jqlora.llama.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * The tokenizer of a {@code tokenizer.json}, run by Hugging Face's own library. What the file's post-processor would add
 * is never added: {@link #encodeWithBos} puts the beginning-of-text token, for files of both kinds. A surrogate without
 * its partner is tokenized as U+FFFD. Safe for use by several threads at once.
 */
public final class HuggingFaceTokenizer implements Tokenizer {
  /** The native regex engine ends the process on a run of spaces ten times as long. */
  private static final int MAXIMUM_WHITESPACE_RUN = 1_000_000;

  private final Path folder;
  private final Map<String, Integer> ids;
  private final @Nullable String[] tokens;
  private final SpecialTokens special;
  private final boolean addsBos;
  private final TokenizersLibrary library;
  /** Held for reading by every native call and for writing by {@link #close}, which frees what they use. */
  private final ReadWriteLock inUse = new ReentrantReadWriteLock();
  private long handle;

  private HuggingFaceTokenizer(Path folder, Map<String, Integer> ids, SpecialTokens special, boolean addsBos,
      TokenizersLibrary library, long handle) {
    this.folder = folder;
    this.ids = ids;
    this.tokens = new @Nullable String[ids.values().stream().mapToInt(id -> id + 1).max().orElse(0)];
    ids.forEach((token, id) -> tokens[id] = token);
    this.special = special;
    this.addsBos = addsBos;
    this.library = library;
    this.handle = handle;
  }

  /** Opens the tokenizer of a model folder. */
  public static HuggingFaceTokenizer open(Path folder) {
    Path file = folder.resolve(TokenizerFiles.TOKENIZER);
    if (!Files.exists(file)) {
      throw new JqloraException(Kind.MODEL, "%s does not exist; expected a model folder with a %s".formatted(file,
          TokenizerFiles.TOKENIZER));
    }
    TokenizerJson json = TokenizerJson.read(file);
    SpecialTokens special = SpecialTokens.read(folder, json);
    TokenizersLibrary library = NativeLibrary.load();
    return new HuggingFaceTokenizer(folder, json.ids(), special, json.templateBos().isPresent(), library,
        create(library, file, json.nativeText()));
  }

  private static long create(TokenizersLibrary library, Path file, String json) {
    try {
      return library.createTokenizerFromString(json);
    } catch (RuntimeException e) {
      throw new JqloraException(Kind.MODEL, "%s cannot be used: %s; fetch the file again".formatted(file, FileErrors
          .printable(String.valueOf(e.getMessage()))), e);
    }
  }

  @Override
  public int[] encode(String text) {
    refuseEndlessWhitespace(text);
    long[] encoded = withHandle(tokenizer -> {
      long encoding = library.encode(tokenizer, WellFormed.text(text), false);
      try {
        return library.getTokenIds(encoding);
      } finally {
        library.deleteEncoding(encoding);
      }
    });
    return Arrays.stream(encoded).mapToInt(Math::toIntExact).toArray();
  }

  @Override
  public int[] encodeWithBos(String text) {
    int[] encoded = encode(text);
    if (special.bos().isEmpty() || encoded.length > 0 && encoded[0] == special.bos().getAsInt()) {
      return encoded;
    }
    int[] begun = new int[encoded.length + 1];
    begun[0] = special.bos().getAsInt();
    System.arraycopy(encoded, 0, begun, 1, encoded.length);
    return begun;
  }

  @Override
  public String decode(int[] ids, boolean skipSpecialTokens) {
    for (int id : ids) {
      if (id < 0) {
        throw new IllegalArgumentException("negative token id " + id);
      }
    }
    return withHandle(tokenizer -> library.decode(tokenizer, Arrays.stream(ids).asLongStream().toArray(),
        skipSpecialTokens));
  }

  @Override
  public OptionalInt id(String token) {
    Integer id = ids.get(token);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The token of an id, as the vocabulary spells it; empty where there is none. */
  public String token(int id) {
    return id >= 0 && id < tokens.length && tokens[id] != null ? tokens[id] : "";
  }

  @Override
  public int vocabSize() {
    return tokens.length;
  }

  @Override
  public OptionalInt bosId() {
    return special.bos();
  }

  @Override
  public OptionalInt eosId() {
    return special.eos();
  }

  @Override
  public OptionalInt padId() {
    return special.pad();
  }

  /** Whether the file's own post-processor, were it run, would put the beginning-of-text token before a text. */
  public boolean addsBos() {
    return addsBos;
  }

  /** The files behind this tokenizer. */
  public TokenizerFiles files() {
    return new TokenizerFiles(folder);
  }

  @Override
  public void close() {
    inUse.writeLock().lock();
    try {
      if (handle != 0) {
        library.deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      inUse.writeLock().unlock();
    }
  }

  private <T> T withHandle(LongFunction<T> call) {
    inUse.readLock().lock();
    try {
      if (handle == 0) {
        throw new IllegalStateException("the tokenizer of " + folder + " is closed");
      }
      return call.apply(handle);
    } finally {
      inUse.readLock().unlock();
    }
  }

  private static void refuseEndlessWhitespace(String text) {
    int run = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      run = Character.isWhitespace(c) || Character.isSpaceChar(c) ? run + 1 : 0;
      if (run > MAXIMUM_WHITESPACE_RUN) {
        throw new JqloraException(Kind.DATA,
            "a text has more than %d spaces or line breaks in a row, up to character %d; clean the text".formatted(
                MAXIMUM_WHITESPACE_RUN, i));
      }
    }
  }
}
