package dev.jqlora.llama.tokenizer;

import dev.jqlora.llama.files.AtomicFile;
import java.nio.file.Path;
import java.util.List;

/** The files in a model folder that make its tokenizer. */
public record TokenizerFiles(Path folder) {
  public static final String TOKENIZER = "tokenizer.json";
  public static final String CONFIG = "tokenizer_config.json";
  public static final String SPECIAL_TOKENS = "special_tokens_map.json";
  public static final String CHAT_TEMPLATE = "chat_template.jinja";

  private static final List<String> NAMES = List.of(TOKENIZER, CONFIG, SPECIAL_TOKENS, CHAT_TEMPLATE);

  /** Copies those that are there to a run's folder, so that an adapter can be used with the tokenizer it was made by. */
  public void copyTo(Path other) {
    for (String name : NAMES) {
      AtomicFile.copyIfPresent(folder.resolve(name), other.resolve(name));
    }
  }
}
