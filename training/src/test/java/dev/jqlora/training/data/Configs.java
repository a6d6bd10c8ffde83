package dev.jqlora.training.data;

import dev.jqlora.training.config.DataArguments;
import dev.jqlora.training.config.TrainingArguments;
import java.util.ArrayList;
import java.util.List;

/** Data arguments for tests, as a configuration would give them. */
final class Configs {
  private Configs() {}

  static DataArguments data(String... words) {
    var all = new ArrayList<>(List.of("model_name_or_path=model"));
    all.addAll(List.of(words));
    return TrainingArguments.read(null, all).data();
  }
}
