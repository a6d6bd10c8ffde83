package dev.jqlora.llama.hub;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.config.GenerationConfig;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SequencedSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Finds the folder of a model that is given by a path or by its name on the Hugging Face hub, fetching it where needed.
 * The environment variables of {@code huggingface_hub} apply (HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN,
 * HF_HUB_OFFLINE), and its cache is shared.
 */
public final class HubModels {
  private static final String DEFAULT_REVISION = "main";
  private static final Pattern REVISION = Pattern.compile("\\w[\\w.-]*(/\\w[\\w.-]*)*");
  private static final List<String> SMALL_FILES = List.of(LlamaConfig.FILE, GenerationConfig.FILE,
      TokenizerFiles.TOKENIZER, TokenizerFiles.CONFIG, TokenizerFiles.SPECIAL_TOKENS,
      TokenizerFiles.CHAT_TEMPLATE);
  private static final Set<String> REQUIRED_FILES = Set.of(LlamaConfig.FILE, TokenizerFiles.TOKENIZER);
  /** Left free on the disk besides what is fetched. */
  private static final long SPARE_BYTES = 100_000_000;

  private final HubSettings settings;
  private final RepoId repo;
  private final String revision;
  private final DownloadProgress progress;
  private final HubCache cache;

  HubModels(HubSettings settings, RepoId repo, String revision, DownloadProgress progress) {
    this.settings = settings;
    this.repo = repo;
    this.revision = revision;
    this.progress = progress;
    this.cache = new HubCache(settings.cache(), repo);
  }

  /**
   * The local folder of a model.
   *
   * @param modelNameOrPath a folder, which is returned as it is, or a name such as {@code meta-llama/Llama-3.2-1B}
   * @param revision a branch, tag or commit; {@code main} if null
   * @param cacheDir overrides the hub's cache folder
   * @param token overrides the environment's and the stored one
   */
  public static Path resolve(String modelNameOrPath, @Nullable String revision, @Nullable Path cacheDir,
      @Nullable String token, DownloadProgress progress) {
    Optional<Path> folder = folder(modelNameOrPath);
    if (folder.isPresent()) {
      return folder.get();
    }
    RepoId repo = RepoId.of(modelNameOrPath).orElseThrow(() -> new JqloraException(Kind.MODEL,
        "%s is no folder and no name on the hub; expected a model folder or a name such as meta-llama/Llama-3.2-1B"
            .formatted(FileErrors.quoted(modelNameOrPath))));
    return new HubModels(settings(cacheDir, token), repo, revision == null ? DEFAULT_REVISION : revision, progress)
        .fetch();
  }

  /**
   * The local folder of a model as far as it is known without asking the hub: a folder, or what lies in the cache.
   *
   * @param revision as {@link #resolve} has it
   * @param cacheDir likewise
   */
  public static Optional<Path> local(String modelNameOrPath, @Nullable String revision, @Nullable Path cacheDir) {
    return folder(modelNameOrPath).or(() -> RepoId.of(modelNameOrPath).flatMap(
        repo -> new HubCache(settings(cacheDir, null).cache(), repo)
            .complete(revision == null ? DEFAULT_REVISION : revision)));
  }

  private static HubSettings settings(@Nullable Path cacheDir, @Nullable String token) {
    return HubSettings.of(System.getenv(), Path.of(System.getProperty("user.home", ".")), Optional.ofNullable(cacheDir),
        Optional.ofNullable(token));
  }

  private static Optional<Path> folder(String text) {
    try {
      return Optional.of(Path.of(text)).filter(folder -> !text.isBlank() && Files.isDirectory(folder));
    } catch (InvalidPathException _) {
      return Optional.empty();
    }
  }

  Path fetch() {
    if (!REVISION.matcher(revision).matches() || revision.contains("..")) {
      throw new JqloraException(Kind.MODEL, "%s is no revision; expected a branch, a tag or a commit".formatted(
          FileErrors.quoted(revision)));
    }
    Optional<Path> cached = cache.complete(revision);
    boolean settled = HubCache.COMMIT.matcher(revision).matches() && cache.isSettled(revision, SMALL_FILES);
    if (cached.isPresent() && (settled || settings.offline())) {
      return cached.get();
    }
    if (settings.offline()) {
      throw new JqloraException(Kind.NETWORK,
          "%s is not in the cache %s, and HF_HUB_OFFLINE forbids to fetch it; unset that, or give a local folder"
              .formatted(repo.name(), settings.cache()));
    }
    try (HubHttp http = new HubHttp(settings)) {
      HubApi api = new HubApi(settings, http, repo);
      HubApi.Listing listing;
      try {
        listing = api.list(revision);
      } catch (HubApi.Unavailable e) {
        return cached.orElseThrow(e::refusal);
      } catch (IOException e) {
        return cached.orElseThrow(() -> http.unreachable(e));
      }
      return fetch(http, api, listing);
    }
  }

  private Path fetch(HubHttp http, HubApi api, HubApi.Listing listing) {
    String commit = listing.commit();
    BlobDownload download = new BlobDownload(http, api, progress);
    Path snapshot = cache.snapshot(commit);
    for (String file : SMALL_FILES) {
      if (listing.sizes().containsKey(file)) {
        fetch(http, api, download, commit, file);
      } else if (REQUIRED_FILES.contains(file)) {
        throw new JqloraException(Kind.MODEL, "%s has no %s; expected a model in the Hugging Face layout".formatted(repo
            .name(), file));
      } else {
        cache.rememberAbsent(commit, file);
      }
    }
    List<String> weights = new ArrayList<>();
    if (listing.sizes().containsKey(Checkpoint.SINGLE_FILE)) {
      weights.add(Checkpoint.SINGLE_FILE);
    } else if (listing.sizes().containsKey(Checkpoint.INDEX_FILE)) {
      fetch(http, api, download, commit, Checkpoint.INDEX_FILE);
      SequencedSet<String> shards = Checkpoint.shardNames(snapshot.resolve(Checkpoint.INDEX_FILE));
      weights.addAll(shards);
    } else {
      throw new JqloraException(Kind.MODEL,
          "%s has no safetensors weights; choose a model that has (pickled .bin files are not read)".formatted(repo
              .name()));
    }
    requireSpace(listing, snapshot, weights);
    weights.forEach(file -> fetch(http, api, download, commit, file));
    cache.remember(revision, commit);
    return snapshot;
  }

  private void requireSpace(HubApi.Listing listing, Path snapshot, List<String> weights) {
    long needed = weights.stream().filter(file -> !Files.exists(snapshot.resolve(file)))
        .mapToLong(file -> missing(listing, file)).sum();
    try {
      Files.createDirectories(cache.folder());
      long free = Files.getFileStore(cache.folder()).getUsableSpace() - SPARE_BYTES;
      if (needed > 0 && free < needed) {
        throw new JqloraException(Kind.IO,
            "%s takes %.2f GB more, but the disk of %s has room for %.2f GB; free some, or set HF_HOME to another disk"
                .formatted(repo.name(), needed / 1e9, settings.cache(), Math.max(0, free) / 1e9));
      }
    } catch (IOException e) {
      throw FileErrors.cannotWrite(cache.folder(), e);
    }
  }

  /** Bytes of a file that are still to be fetched. */
  private long missing(HubApi.Listing listing, String file) {
    long size = listing.sizes().getOrDefault(file, 0L);
    String etag = listing.sha256().get(file);
    return etag == null ? size : size - cache.present(etag, size);
  }

  private void fetch(HubHttp http, HubApi api, BlobDownload download, String commit, String file) {
    if (Files.exists(cache.snapshot(commit).resolve(file))) {
      return;
    }
    HubApi.Content content;
    try {
      content = api.content(commit, file);
    } catch (IOException e) {
      throw http.unreachable(e);
    }
    cache.locked(content.etag(), () -> {
      if (Files.exists(cache.snapshot(commit).resolve(file))) {
        return;
      }
      download.fetch(commit, file, content, cache.blob(content.etag()));
      cache.link(commit, file, content.etag());
    });
  }
}
