package dev.jqlora.cli;

import dev.jqlora.llama.hub.HubModels;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Fetches a model from the hub. */
@Command(name = "download", description = "Fetch a model from the Hugging Face hub and print its folder.", footer = {"",
    "What is there already is not fetched again. For a gated model accept its licence on its page and",
    "set HF_TOKEN to a token that may read it. HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE apply too.",
    "", "Example:",
    "  jqlora download meta-llama/Llama-3.2-1B"})
final class DownloadCommand implements Runnable {
  @Parameters(paramLabel = "NAME", description = "The model's name on the hub.")
  private String name;

  @Option(names = "--revision", paramLabel = "REV", description = "A branch, tag or commit (default: main).")
  private @Nullable String revision;

  @Option(names = "--cache-dir", paramLabel = "DIR", description = "Where to keep it (default: the hub's cache, ~/.cache/huggingface/hub).")
  private @Nullable Path cacheDir;

  @Mixin
  private Output output;

  @Override
  public void run() {
    Path folder;
    try (StatusLine status = new StatusLine(output.err())) {
      folder = HubModels.resolve(name, revision, cacheDir, null, status::download);
    }
    output.print(output.object().put("model", name).put("path", folder.toString()), () -> output.out().println(
        folder));
  }
}
