package dev.jqlora.training.evaluate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How a question is put to a model. */
public enum PromptForm {
  /** As lm-evaluation-harness does in its task medqa_4options, without examples. */
  HARNESS,
  /** As in training: instruction and question in the template, then the letter. */
  TEMPLATE;

  /** The form's name in options, tables and files. */
  public String title() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The form of a name.
   *
   * @throws JqloraException {@code USAGE} for another name
   */
  public static PromptForm named(String name) {
    return Arrays.stream(values()).filter(form -> form.title().equals(name)).findFirst()
        .orElseThrow(() -> new JqloraException(Kind.USAGE, "--forms: expected "
            + Arrays.stream(values()).map(PromptForm::title).collect(Collectors.joining(" or ")) + ", got "
            + FileErrors.quoted(name)));
  }
}
