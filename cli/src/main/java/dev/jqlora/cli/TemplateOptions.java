package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.data.Template;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The marks around the turns of a conversation. */
final class TemplateOptions {
  @Option(names = "--template", paramLabel = "NAME", description = "The one the model was trained with: llama3, alpaca, default or empty (default: none).")
  private @Nullable String name;

  @Option(names = "--system", paramLabel = "TEXT", description = "The system text (default: the template's own).")
  private @Nullable String system;

  Optional<Template> template() {
    if (name == null && system != null) {
      throw new JqloraException(Kind.USAGE, "--system needs a --template that says where the text stands");
    }
    return Optional.ofNullable(name).map(Template::named);
  }

  String system(Template template) {
    return system == null ? template.defaultSystem() : system;
  }
}
