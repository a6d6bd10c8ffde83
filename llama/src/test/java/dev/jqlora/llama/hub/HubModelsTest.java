package dev.jqlora.llama.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.OneLineError;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HubModelsTest {
  private static final String SECRET = "hf_aVerySecretToken";

  @TempDir
  Path cache;

  private FakeHub hub;
  private final List<String> reported = new ArrayList<>();

  @BeforeEach
  void start() throws IOException {
    hub = new FakeHub();
  }

  @AfterEach
  void stop() {
    hub.close();
    assertTrue(hub.seen.stream().noneMatch(seen -> seen.server().equals("STORAGE") && seen.authorized()),
        "the token went to another host");
  }

  @Test
  void fetchesWhatAModelNeedsIntoTheSharedLayout() throws IOException {
    Path snapshot = fetch("main");
    assertEquals(cache.resolve("models--meta-llama--Llama-3.2-1B/snapshots/" + FakeHub.COMMIT), snapshot);
    for (String file : List.of("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")) {
      assertArrayEquals(hub.files.get(file), Files.readAllBytes(snapshot.resolve(file)), file);
    }
    Path link = Files.readSymbolicLink(snapshot.resolve("model.safetensors"));
    assertEquals("../../blobs/" + FakeHub.sha256(weights()), link.toString());
    Path folder = cache.resolve("models--meta-llama--Llama-3.2-1B");
    assertEquals(FakeHub.COMMIT, Files.readString(folder.resolve("refs/main")));
    assertTrue(Files.exists(folder.resolve(".no_exist/" + FakeHub.COMMIT + "/generation_config.json")));
    assertFalse(Files.exists(snapshot.resolve("README.md")));
    assertFalse(Files.exists(snapshot.resolve("original")));
    assertTrue(hub.seen.stream().filter(seen -> seen.server().equals("HUB")).allMatch(FakeHub.Seen::authorized));
    assertEquals("model.safetensors 400000/400000", reported.getLast());
  }

  @Test
  void fetchesNothingTwice() {
    Path first = fetch("main");
    hub.seen.clear();
    assertEquals(first, fetch("main"));
    assertEquals(0, hub.count("HUB", "HEAD", "resolve"));
    hub.seen.clear();
    assertEquals(first, fetch(FakeHub.COMMIT));
    assertTrue(hub.seen.isEmpty(), "a commit cannot change");
  }

  @Test
  void fetchesTheShardsThatTheIndexNames() throws IOException {
    hub.files.remove("model.safetensors");
    hub.put("model.safetensors.index.json",
        "{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\", \"b\": \"model-00002-of-00002.safetensors\"}}");
    hub.put("model-00001-of-00002.safetensors", "one");
    hub.put("model-00002-of-00002.safetensors", "two");
    hub.put("other.safetensors", "not wanted");
    Path snapshot = fetch("main");
    assertEquals("two", Files.readString(snapshot.resolve("model-00002-of-00002.safetensors")));
    assertFalse(Files.exists(snapshot.resolve("other.safetensors")));
    Files.delete(snapshot.resolve("model-00001-of-00002.safetensors"));
    assertEquals(snapshot, fetch(FakeHub.COMMIT));
    assertTrue(Files.exists(snapshot.resolve("model-00001-of-00002.safetensors")), "an incomplete one is completed");
  }

  @Test
  void followsARenamedRepository() {
    hub.renamedFrom = FakeHub.REPO;
    hub.repo = "new/Name";
    assertTrue(Files.exists(fetch("main").resolve("model.safetensors")));
  }

  @Test
  void goesOnWhereAConnectionEnded() throws IOException {
    hub.cutAfter = 150_000;
    assertArrayEquals(weights(), Files.readAllBytes(fetch("main").resolve("model.safetensors")));
    assertGoesOn(3);
  }

  @Test
  void goesOnWhereAnEarlierRunEnded() throws IOException {
    incomplete(new String(weights(), StandardCharsets.UTF_8).substring(0, 1000));
    assertArrayEquals(weights(), Files.readAllBytes(fetch("main").resolve("model.safetensors")));
    assertEquals(List.of("bytes=1000-"), ranges());
  }

  @Test
  void goesOnWhereAProcessWasStopped() throws IOException, InterruptedException {
    hub.stallAfter = 150_000;
    ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-cp",
        System.getProperty("java.class.path"), Downloader.class.getName());
    builder.environment().putAll(Map.of("HF_ENDPOINT", hub.endpoint().toString(), "HF_HUB_CACHE", cache.toString()));
    Process process = builder.inheritIO().start();
    Path begun = cache.resolve("models--meta-llama--Llama-3.2-1B/blobs/" + FakeHub.sha256(weights()) + ".incomplete");
    try {
      Instant end = Instant.now().plusSeconds(60);
      while (!Files.exists(begun) || Files.size(begun) == 0) {
        assertTrue(process.isAlive() && Instant.now().isBefore(end), "nothing was fetched");
        Thread.sleep(20);
      }
      process.destroy();
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the process does not end");
    } finally {
      process.destroyForcibly().waitFor();
    }
    long there = Files.size(begun);
    assertTrue(there > 0 && there <= 150_000, there + " bytes are there");
    assertArrayEquals(weights(), Files.readAllBytes(fetch("main").resolve("model.safetensors")));
    assertEquals("bytes=" + there + "-", ranges().getLast());
  }

  /** Fetches a model as commands do. */
  static final class Downloader {
    private Downloader() {}

    public static void main(String[] arguments) {
      HubModels.resolve(FakeHub.REPO, null, null, null, DownloadProgress.NONE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ignored", "refused", "other"})
  void startsOverWhereItCannotGoOn(String how) throws IOException {
    incomplete("x".repeat(1000));
    hub.ignoresRange = how.equals("ignored");
    hub.refusesRange = how.equals("refused");
    hub.sendsOtherRange = how.equals("other");
    assertArrayEquals(weights(), Files.readAllBytes(fetch("main").resolve("model.safetensors")));
  }

  @Test
  void startsOverAfterTooMuch() throws IOException {
    incomplete("x".repeat(500_000));
    assertArrayEquals(weights(), Files.readAllBytes(fetch("main").resolve("model.safetensors")));
    assertEquals(List.of(""), ranges());
  }

  @Test
  void anExpiredAddressIsAskedForAnew() throws IOException {
    hub.staleAddresses = 2;
    assertArrayEquals(weights(), Files.readAllBytes(fetch("main").resolve("model.safetensors")));
    assertEquals(3, hub.count("HUB", "HEAD", "model.safetensors"));
    assertEquals(3, hub.count("STORAGE", "GET", "model.safetensors"));
  }

  @Test
  void aSilentServerIsLeft() throws IOException {
    hub.stallAfter = 50_000;
    assertArrayEquals(weights(), Files.readAllBytes(models("main", impatient()).fetch().resolve("model.safetensors")));
    assertGoesOn(2);
  }

  @Test
  void aListThatFallsSilentIsAskedForAgain() {
    hub.silentLists = HubHttp.ATTEMPTS - 1;
    Path first = models("main", impatient()).fetch();
    assertTrue(Files.exists(first.resolve("model.safetensors")));
    hub.silentLists = HubHttp.ATTEMPTS;
    assertEquals(first, models("main", impatient()).fetch(), "the cache serves");
    hub.silentLists = HubHttp.ATTEMPTS;
    assertRefused(models("other", impatient()), "nothing came for 400 ms");
  }

  private HubSettings impatient() {
    return new HubSettings(hub.endpoint(), cache, Optional.empty(), false, Duration.ofMillis(400),
        Duration.ofMillis(1));
  }

  @Test
  void aBusyHubIsAskedAgain() {
    hub.busyAnswers = 3;
    hub.storageFailures = 3;
    assertTrue(Files.exists(fetch("main").resolve("model.safetensors")));
  }

  @Test
  void damageIsFoundAndRemoved() throws IOException {
    hub.damages = true;
    assertRefused("model.safetensors arrived damaged: its SHA-256 is not the one the hub names");
    try (var blobs = Files.list(cache.resolve("models--meta-llama--Llama-3.2-1B/blobs"))) {
      assertTrue(blobs.noneMatch(blob -> blob.toString().endsWith(".incomplete")));
    }
    hub.damages = false;
    assertTrue(Files.exists(fetch("main").resolve("model.safetensors")));
  }

  @Test
  void whatNeverArrivesSaysHowFarItCame() {
    hub.cutAfter = 0;
    assertRefused("the download of model.safetensors stopped at 0 of 400000 bytes (");
    hub.cutAfter = Long.MAX_VALUE;
    hub.storageFailures = 1000;
    assertRefused("the storage answered 404");
  }

  @Test
  void moreThanAnnouncedIsRefused() {
    hub.lengthens = true;
    assertRefused("sends more than the 400000 bytes");
  }

  @Test
  void aFullDiskIsSeenBeforeTheDownload() {
    hub.claimedSize = 1L << 60;
    assertRefused("takes 1152921504.61 GB more, but the disk of");
    assertEquals(0, hub.count("STORAGE", "GET", ""));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '~', nullValues = "none", value = {
      "403 | GatedRepo | true | is gated: accept its licence on its page, then wait until access is granted",
      "401 | GatedRepo | false | then set HF_TOKEN", "401 | GatedRepo | true | the hub does not know",
      "401 | none | false | is not on the hub, or is private; check the name, or set HF_TOKEN",
      "404 | RepoNotFound | true | is not on the hub, or is private; check the name and that the token may read it",
      "404 | RevisionNotFound | true | has no revision \"main\"",
      "418 | none | true | answered 418 for the list of files",
      "503 | none | true | answered 503", "404 | EntryNotFound | true | has no the list of files"})
  void refusalsSayWhatToDo(int status, String code, boolean token, String message) {
    hub.refusal = status;
    hub.refusalCode = code == null ? "" : code;
    JqloraException error = OneLineError.assertThrown(() -> models("main", settings(token
        ? Optional.of(SECRET)
        : Optional.empty())).fetch(), FakeHub.REPO, message);
    assertEquals(Kind.NETWORK, error.kind());
  }

  @Test
  void somethingElseThanAHubIsNamed() {
    hub.withoutCommit = true;
    assertRefused("gives no commit for config.json; is HF_ENDPOINT a Hugging Face hub?");
    hub.notJson = true;
    assertRefused("something that is not JSON");
  }

  @Test
  void aRepositoryWithoutWhatIsNeededIsNamed() {
    hub.files.remove("model.safetensors");
    assertRefused("has no safetensors weights");
    hub.files.remove("tokenizer.json");
    assertRefused("has no tokenizer.json");
  }

  @Test
  void anIndexThatPointsElsewhereIsRefused() {
    hub.files.remove("model.safetensors");
    hub.put("model.safetensors.index.json", "{\"weight_map\": {\"a\": \"../../../x.safetensors\"}}");
    assertRefused("expected the plain name of a .safetensors file");
  }

  @Test
  void withoutNetworkTheCacheServes() {
    Path first = fetch("main");
    hub.close();
    assertEquals(first, fetch("main"));
    assertRefused(models("other", settings(Optional.empty())), "cannot reach 127.0.0.1");
  }

  @Test
  void whereTheHubIsOutOfOrderTheCacheServes() {
    Path first = fetch("main");
    hub.refusal = 503;
    assertEquals(first, fetch("main"));
    hub.refusal = 0;
    hub.notJson = true;
    assertEquals(first, fetch("main"));
    hub.notJson = false;
    hub.refusal = 401;
    assertRefused("is not on the hub, or is private");
  }

  /** Python's client fetches a tokenizer only when it is asked for one. */
  @Test
  void aSnapshotWithoutATokenizerIsCompleted() throws IOException {
    Path first = fetch("main");
    Files.delete(first.resolve("tokenizer.json"));
    assertEquals(first, fetch(FakeHub.COMMIT));
    assertTrue(Files.exists(first.resolve("tokenizer.json")));
    Files.delete(first.resolve("tokenizer_config.json"));
    hub.refusal = 503;
    assertEquals(first, fetch(FakeHub.COMMIT), "the model can be used without");
    hub.refusal = 0;
    assertEquals(first, fetch(FakeHub.COMMIT));
    assertTrue(Files.exists(first.resolve("tokenizer_config.json")));
  }

  /** So a download that ended for want of space goes on where there is room for the rest. */
  @Test
  void whatIsHereTakesNoMoreSpace() throws IOException {
    HubCache here = new HubCache(cache, RepoId.of(FakeHub.REPO).orElseThrow());
    try (HubHttp http = new HubHttp(settings(Optional.empty()))) {
      assertEquals(Map.of("model.safetensors", FakeHub.sha256(weights())),
          new HubApi(settings(Optional.empty()), http, RepoId.of(FakeHub.REPO).orElseThrow()).list("main").sha256());
    }
    assertEquals(0, here.present(FakeHub.sha256(weights()), 400_000));
    incomplete(new String(weights(), StandardCharsets.UTF_8).substring(0, 1000));
    assertEquals(1000, here.present(FakeHub.sha256(weights()), 400_000));
    Path weights = fetch("main").resolve("model.safetensors");
    hub.claimedSize = 1L << 60;
    Files.delete(weights);
    fetch("main");
    assertTrue(Files.exists(weights), "a blob that is here needs no space, however large");
    assertEquals(400_000, here.present(FakeHub.sha256(weights()), 400_000));
  }

  @Test
  void encryptionIsNotGivenUp() {
    URI encrypted = URI.create("https://hub.example/a");
    URI plain = URI.create("http://storage.example/a");
    HubHttp.requireEncryption(encrypted, URI.create("https://storage.example/a"));
    HubHttp.requireEncryption(plain, plain);
    OneLineError.assertThrown(() -> HubHttp.requireEncryption(encrypted, plain), "hub.example", "without encryption");
  }

  @Test
  void whatWasFetchedIsKnownByItsNameWithoutTheHub() {
    assertEquals(Optional.empty(), HubModels.local(FakeHub.REPO, null, cache));
    Path first = fetch("main");
    hub.seen.clear();
    assertEquals(Optional.of(first), HubModels.local(FakeHub.REPO, null, cache));
    assertEquals(Optional.of(first), HubModels.local(FakeHub.REPO, FakeHub.COMMIT, cache));
    assertEquals(Optional.empty(), HubModels.local(FakeHub.REPO, "other", cache));
    assertEquals(Optional.of(first), HubModels.local(first.toString(), null, cache));
    assertTrue(hub.seen.isEmpty());
  }

  @Test
  void offlineAsksNobody() {
    HubSettings offline = HubSettings.of(Map.of("HF_HUB_OFFLINE", "1", "HF_ENDPOINT", hub.endpoint().toString()), cache,
        Optional.of(cache), Optional.empty());
    assertRefused(models("main", offline), "HF_HUB_OFFLINE forbids to fetch it");
    Path first = fetch("main");
    hub.seen.clear();
    assertEquals(first, models("main", offline).fetch());
    assertTrue(hub.seen.isEmpty());
  }

  @Test
  void settingsFollowTheEnvironment() throws IOException {
    Map<String, String> environment = new HashMap<>();
    Path home = Files.createDirectories(cache.resolve("home"));
    assertEquals(home.resolve(".cache/huggingface/hub"), settings(environment, home).cache());
    assertEquals(URI.create("https://huggingface.co"), settings(environment, home).endpoint());
    assertEquals(Optional.empty(), settings(environment, home).token());
    Path hubHome = Files.createDirectories(cache.resolve("hf"));
    Files.writeString(hubHome.resolve("token"), SECRET + "\n");
    environment.put("HF_HOME", hubHome.toString());
    environment.put("HF_ENDPOINT", "http://mirror.example/hub/");
    assertEquals(hubHome.resolve("hub"), settings(environment, home).cache());
    assertEquals(Optional.of(new AccessToken(SECRET)), settings(environment, home).token());
    assertEquals("http://mirror.example/hub", settings(environment, home).endpoint().toString());
    assertFalse(settings(environment, home).toString().contains(SECRET));
    environment.put("HUGGING_FACE_HUB_TOKEN", "older");
    environment.put("HF_HUB_CACHE", cache.toString());
    assertEquals(Optional.of(new AccessToken("older")), settings(environment, home).token());
    environment.put("HF_TOKEN", "newer");
    assertEquals(Optional.of(new AccessToken("newer")), settings(environment, home).token());
    assertEquals(cache, settings(environment, home).cache());
    environment.put("HF_ENDPOINT", "huggingface.co");
    OneLineError.assertThrown(() -> settings(environment, home), "HF_ENDPOINT is \"huggingface.co\"");
    environment.put("HF_TOKEN", "two words");
    environment.remove("HF_ENDPOINT");
    JqloraException error = OneLineError.assertThrown(() -> settings(environment, home), "copy it again");
    assertFalse(String.valueOf(error.getMessage()).contains("two words"));
  }

  @Test
  void aFolderIsItself() {
    assertEquals(cache, HubModels.resolve(cache.toString(), null, null, null, DownloadProgress.NONE));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "./missing", "/no/such/folder", "a/b/c", "a b", "../x/y", "a..b", "org/na--me",
      "x\u0000"})
  void whatIsNoNameIsRefused(String name) {
    OneLineError.assertThrown(() -> HubModels.resolve(name, null, cache, null, DownloadProgress.NONE),
        "is no folder and no name on the hub");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../x", "a/../b", "", "/a", "a b", "a//b"})
  void whatIsNoRevisionIsRefused(String revision) {
    assertRefused(models(revision, settings(Optional.empty())), "is no revision");
  }

  private static HubSettings settings(Map<String, String> environment, Path home) {
    return HubSettings.of(environment, home, Optional.empty(), Optional.empty());
  }

  private HubSettings settings(Optional<String> token) {
    return new HubSettings(hub.endpoint(), cache, token.map(AccessToken::new), false, Duration.ofSeconds(10), Duration
        .ofMillis(1));
  }

  private HubModels models(String revision, HubSettings settings) {
    return new HubModels(settings, RepoId.of(FakeHub.REPO).orElseThrow(), revision, (file, bytes, total) -> reported
        .add("%s %d/%d".formatted(file, bytes, total)));
  }

  private Path fetch(String revision) {
    return models(revision, settings(Optional.of(SECRET))).fetch();
  }

  private void assertRefused(String message) {
    assertRefused(models("main", settings(Optional.of(SECRET))), message);
  }

  private static void assertRefused(HubModels models, String message) {
    JqloraException error = OneLineError.assertThrown(models::fetch, message);
    assertFalse(String.valueOf(error.getMessage()).contains(SECRET));
    assertFalse(String.valueOf(error.getMessage()).contains("signature="));
  }

  private void incomplete(String content) throws IOException {
    Path blobs = Files.createDirectories(cache.resolve("models--meta-llama--Llama-3.2-1B/blobs"));
    Files.writeString(blobs.resolve(FakeHub.sha256(weights()) + ".incomplete"), content);
  }

  private byte[] weights() {
    return hub.files.getOrDefault("model.safetensors", new byte[0]);
  }

  /** The first request for all, the others for ever less; what a breaking connection loses at its end may vary. */
  private void assertGoesOn(int least) {
    assertTrue(ranges().size() >= least, ranges().toString());
    assertEquals("", ranges().getFirst());
    long before = 0;
    for (String range : ranges().subList(1, ranges().size())) {
      long from = Long.parseLong(range.replaceAll("\\D", ""));
      assertTrue(from >= before && from > 0, ranges().toString());
      before = from;
    }
  }

  private List<String> ranges() {
    return hub.seen.stream().filter(seen -> seen.server().equals("STORAGE")).map(FakeHub.Seen::range).toList();
  }
}
