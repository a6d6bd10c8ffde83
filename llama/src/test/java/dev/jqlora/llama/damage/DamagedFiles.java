package dev.jqlora.llama.damage;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.config.GenerationConfig;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.safetensors.RawSafetensors;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.llama.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * Makes damaged model files one after the other and opens each. It runs in a process of its own, since the point is that
 * none of them ends it, by memory or otherwise. Arguments: the real model to damage, and a folder to write to.
 */
final class DamagedFiles {
  private static final String ENTRY = "{\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}";

  private final Path folder;
  private final byte[] weights;
  private final byte[] config;
  private final byte[] tokenizer;
  private final byte[] tokenizerConfig;
  private int refused;
  private int harmless;
  private final List<String> failures = new ArrayList<>();

  private DamagedFiles(Path model, Path folder) throws IOException {
    this.folder = folder;
    this.weights = Files.readAllBytes(model.resolve("model.safetensors"));
    this.config = Files.readAllBytes(model.resolve("config.json"));
    this.tokenizer = Files.readAllBytes(model.resolve("tokenizer.json"));
    this.tokenizerConfig = Files.readAllBytes(model.resolve("tokenizer_config.json"));
  }

  public static void main(String[] arguments) throws IOException {
    DamagedFiles damage = new DamagedFiles(Path.of(arguments[0]), Path.of(arguments[1]));
    damage.safetensors();
    damage.headers();
    damage.hugeHeaders();
    damage.index();
    damage.config();
    damage.tokenizer();
    damage.flippedBits();
    damage.failures.forEach(System.out::println);
    System.out.printf("refused %d, harmless %d, failures %d%n", damage.refused, damage.harmless, damage.failures
        .size());
  }

  private void safetensors() throws IOException {
    int header = (int) headerBytes();
    for (int length : new int[]{0, 1, 7, 8, 9, 100, header / 2, 8 + header - 1, 8 + header, weights.length / 2,
        weights.length - 1}) {
      checkpoint("cut to " + length, Arrays.copyOf(weights, length));
    }
    checkpoint("one byte too many", Arrays.copyOf(weights, weights.length + 1));
    for (long claimed : new long[]{0, 1, header - 1, header + 1, header + 8, weights.length, 100_000_001, 1L << 40,
        Long.MAX_VALUE, -1}) {
      byte[] json = Arrays.copyOfRange(weights, 8, 8 + header);
      checkpoint("header claims " + claimed, RawSafetensors.bytes(claimed, json, weights.length - 8 - header));
    }
    byte[] noise = new byte[10_000];
    new Random(1).nextBytes(noise);
    checkpoint("noise", noise);
    checkpoint("zeros", new byte[10_000]);
    byte[] ones = new byte[10_000];
    Arrays.fill(ones, (byte) -1);
    checkpoint("ones", ones);
    checkpoint("a web page", "<!DOCTYPE html><html>404</html>".getBytes(StandardCharsets.UTF_8));
    checkpoint("a large file's pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n".getBytes(
        StandardCharsets.UTF_8));
  }

  private void headers() throws IOException {
    for (String entry : List.of("null", "5", "[]", "\"F32\"", "{}", "{\"dtype\": \"F32\"}",
        ENTRY.replace("\"F32\"", "\"F33\""), ENTRY.replace("\"F32\"", "32"), ENTRY.replace("\"F32\"", "null"), ENTRY
            .replace("[2]", "2"),
        ENTRY.replace("[2]", "[2.0]"), ENTRY.replace("[2]", "[-2]"), ENTRY.replace("[2]",
            "[\"2\"]"),
        ENTRY.replace("[2]", "[[2]]"), ENTRY.replace("[2]", "[3]"), ENTRY.replace("[2]", "[]"),
        ENTRY.replace("[2]", "[4294967296, 4294967296]"), ENTRY.replace("[2]", "[9223372036854775807, 2]"), ENTRY
            .replace("[2]", "[9223372036854775808]"),
        ENTRY.replace("[2]", "[1e1]"), ENTRY.replace("[2]", "["
            + "1, ".repeat(100) + "2]"),
        ENTRY.replace("[0, 8]", "[0]"), ENTRY.replace("[0, 8]", "[0, 8, 8]"), ENTRY
            .replace("[0, 8]", "[8, 0]"),
        ENTRY.replace("[0, 8]", "[0, 9]"), ENTRY.replace("[0, 8]", "[1, 9]"),
        ENTRY.replace("[0, 8]", "[0, 18446744073709551616]"), ENTRY.replace("[0, 8]", "[-8, 0]"), ENTRY.replace(
            "[0, 8]", "[0, 1e400]"),
        ENTRY.replace("\"shape\"", "\"dtype\": \"F32\", \"shape\""), ENTRY.replace(
            "\"F32\"", "\"F4\"").replace("[2]", "[15]"))) {
      header("{\"a\": " + entry + "}", 8);
    }
    String second = ENTRY.replace("[0, 8]", "[8, 16]");
    header("{\"a\": " + ENTRY + ", \"a\": " + second + "}", 16);
    header("{\"a\": " + ENTRY + ", \"b\": " + ENTRY + "}", 8);
    header("{\"a\": " + ENTRY + ", \"b\": " + ENTRY.replace("[0, 8]", "[9, 17]") + "}", 17);
    header("{\"a\": " + ENTRY + ", \"b\": " + ENTRY.replace("[0, 8]", "[4, 12]") + "}", 12);
    header("{\"a\": " + ENTRY + "}}", 8);
    header("{\"a\": " + ENTRY + "} {}", 8);
    header("{\"a\": " + ENTRY, 8);
    header("[" + ENTRY + "]", 8);
    header("\"a\"", 0);
    header("", 0);
    header("   ", 0);
    header("\u0000\u0000", 0);
    header("{\"a\": " + ENTRY + "}\u0000", 8);
    header("{'a': " + ENTRY + "}", 8);
    header("{\"" + "a".repeat(20_000) + "\": " + ENTRY + "}", 8);
    header("{\"line\\nbreak\\u001b[31m\": 5}", 8);
    for (String metadata : List.of("5", "[]", "\"pt\"", "null", "{\"a\": 5}", "{\"a\": {}}", "{\"a\": null}",
        "{\"a\": \"\", \"a\": \"\"}")) {
      header("{\"__metadata__\": " + metadata + ", \"a\": " + ENTRY + "}", 8);
    }
    for (Charset charset : List.of(StandardCharsets.UTF_16, StandardCharsets.UTF_16LE,
        StandardCharsets.ISO_8859_1)) {
      checkpoint("header in " + charset, RawSafetensors.bytes(("{\"ä\": " + ENTRY + "}").getBytes(charset), 8));
    }
    checkpoint("overlong UTF-8", RawSafetensors.bytes(new byte[]{'{', '"', (byte) 0xc0, (byte) 0x80, '"', '}'}, 0));
    checkpoint("byte order mark", RawSafetensors.bytes("\uFEFF{}", 0));
  }

  private void hugeHeaders() throws IOException {
    header("[".repeat(20_000_000), 0);
    header("{\"a\":".repeat(5_000_000), 0);
    header("{\"a\": [" + "[".repeat(5_000_000), 0);
    header("{\"a\": {\"shape\": [" + "1,".repeat(10_000_000), 0);
    header("{\"a\": {\"shape\": [" + "9".repeat(10_000_000), 0);
    header("{\"" + "a".repeat(30_000_000), 0);
    StringBuilder many = new StringBuilder("{");
    for (int i = 0; i < 300_000; i++) {
      many.append("\"%x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},".formatted(i));
    }
    header(many.append("\"z\":0}").toString(), 0);
    Path file = folder.resolve("model.safetensors");
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(0);
      sparse.write(RawSafetensors.bytes(100_000_000, "{".getBytes(StandardCharsets.UTF_8), 0));
      sparse.setLength(1L << 32);
    }
    open("a sparse file of 4 GiB", () -> Checkpoint.open(folder).close());
    Files.delete(file);
  }

  private void index() throws IOException {
    Files.deleteIfExists(folder.resolve("model.safetensors"));
    Files.write(folder.resolve("model-00001-of-00001.safetensors"), weights);
    for (String text : List.of("", "{}", "[]", "null", "{", "{\"weight_map\": null}", "{\"weight_map\": []}",
        "{\"weight_map\": {}}", "{\"weight_map\": {\"a\": 5}}", "{\"weight_map\": {\"a\": null}}",
        "{\"weight_map\": {\"a\": {}}}", "{\"weight_map\": {\"a\": \"../../x.safetensors\"}}",
        "{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "{\"weight_map\": {\"a\": \"missing.safetensors\"}}",
        "{\"weight_map\": {\"a\": \"model-00001-of-00001.safetensors\"}}",
        "{\"weight_map\": {\"a\": \"x\"}, \"weight_map\": {\"a\": \"x\"}}", "{\"weight_map\": {\"a\": \"\\ud800\"}}",
        "[".repeat(1_000_000), "{\"a\":".repeat(100_000))) {
      write("model.safetensors.index.json", text.getBytes(StandardCharsets.UTF_8));
      open("index " + shortened(text), () -> Checkpoint.open(folder).close());
    }
    write("model.safetensors.index.json", new byte[]{'{', (byte) 0xff, '}'});
    open("index not UTF-8", () -> Checkpoint.open(folder).close());
    Files.delete(folder.resolve("model.safetensors.index.json"));
    open("no weights", () -> Checkpoint.open(folder).close());
    Files.delete(folder.resolve("model-00001-of-00001.safetensors"));
  }

  private void config() throws IOException {
    Runnable read = () -> LlamaConfig.read(folder);
    open("no config", read);
    for (int length : new int[]{0, 1, 2, config.length / 2, config.length - 1}) {
      json("config.json", Arrays.copyOf(config, length), read);
    }
    broken("config.json", config, read);
    changed("config.json", config, """
        "llama" -> "gpt2"
        : 64 -> : 0
        : 64 -> : -64
        : 64 -> : 64.5
        : 64 -> : "64"
        : 64 -> : 2147483648
        : 64 -> : 1e9
        : 64 -> : 2000000000
        : 64 -> : null
        : 64 -> : [64]
        : 64 -> : 65
        : 4, -> : 3,
        : 5, -> : 100000,
        : 512 -> : 999999999999999999999999
        1e-05 -> NaN
        1e-05 -> 0
        10000.0 -> -1
        10000.0 -> 1e999
        "silu" -> "relu"
        "rope_scaling": null -> "rope_scaling": {"type": "yarn"}
        "eos_token_id": 2 -> "eos_token_id": [2, "x"]
        "hidden_size" -> "hidden\\nsize"
        "float32" -> "float\\u000132"
        """, read);
    LlamaConfig model = KnownConfigs.named("llama-3-8b").orElseThrow();
    broken("generation_config.json", "{\"eos_token_id\": 1}".getBytes(StandardCharsets.UTF_8), () -> GenerationConfig
        .read(folder, model));
    json("generation_config.json", "{\"eos_token_id\": [-1]}".getBytes(StandardCharsets.UTF_8), () -> GenerationConfig
        .read(folder, model));
  }

  private void tokenizer() throws IOException {
    Runnable read = () -> HuggingFaceTokenizer.open(folder).close();
    open("no tokenizer", read);
    write(TokenizerFiles.CONFIG, tokenizerConfig);
    for (int length : new int[]{0, 1, 100, tokenizer.length / 2, tokenizer.length - 1}) {
      json(TokenizerFiles.TOKENIZER, Arrays.copyOf(tokenizer, length), read);
    }
    broken(TokenizerFiles.TOKENIZER, tokenizer, read);
    changed(TokenizerFiles.TOKENIZER, tokenizer, """
        "BPE" -> "Unigram"
        "BPE" -> 5
        "vocab" -> "vocabulary"
        "merges" -> "merge"
        "1.0" -> "2.0"
        "Prepend" -> "Precompiled"
        "ByteFallback" -> "CTC"
        "<unk>" -> "\\ud800"
        "version" -> "unknown"
        "id": 1 -> "id": 7
        """, read);
    write(TokenizerFiles.TOKENIZER, tokenizer);
    broken(TokenizerFiles.CONFIG, tokenizerConfig, read);
    json(TokenizerFiles.CONFIG, "{\"bos_token\": [\"<s>\"]}".getBytes(StandardCharsets.UTF_8), read);
    json(TokenizerFiles.CONFIG, "{\"eos_token\": \"line\\nbreak\"}".getBytes(StandardCharsets.UTF_8), read);
  }

  /** One change a line, {@code FROM -> TO}, each made alone where FROM first stands. */
  private void changed(String name, byte[] good, String changes, Runnable read) throws IOException {
    String text = new String(good, StandardCharsets.UTF_8);
    for (String line : changes.lines().toList()) {
      String[] change = line.split(" -> ", 2);
      int at = text.indexOf(change[0]);
      if (at < 0) {
        throw new IllegalStateException(change[0] + " is not in " + name);
      }
      String damaged = text.substring(0, at) + change[1] + text.substring(at + change[0].length());
      write(name, damaged.getBytes(StandardCharsets.UTF_8));
      open(name + ": " + line, read);
    }
  }

  /** Damage that any JSON file may have. */
  private void broken(String name, byte[] good, Runnable read) throws IOException {
    byte[] notUtf8 = good.clone();
    notUtf8[good.length / 2] = (byte) 0xff;
    for (byte[] content : List.of(new byte[0], new byte[100], notUtf8, new String(good, StandardCharsets.UTF_8)
        .getBytes(StandardCharsets.UTF_16), "[]".getBytes(StandardCharsets.UTF_8),
        "null".getBytes(
            StandardCharsets.UTF_8),
        "\"text\"".getBytes(StandardCharsets.UTF_8), "<html>".getBytes(
            StandardCharsets.UTF_8),
        "{\"a\": 1, \"a\": 2}".getBytes(StandardCharsets.UTF_8), (new String(good,
            StandardCharsets.UTF_8) + "}").getBytes(StandardCharsets.UTF_8),
        "{\"a\":".repeat(200_000).getBytes(
            StandardCharsets.UTF_8))) {
      json(name, content, read);
    }
    Files.delete(folder.resolve(name));
    Files.createDirectory(folder.resolve(name));
    open(name + " is a folder", read);
    Files.delete(folder.resolve(name));
    write(name, good);
  }

  /** A flipped bit may leave a file that is as valid as before; it must end in an error or in nothing, and never worse. */
  private void flippedBits() throws IOException {
    Random random = new Random(7);
    for (int i = 0; i < 300; i++) {
      write("model.safetensors", flipped(weights, random.nextInt(8 + (int) headerBytes()), random));
      harmlessOrRefused("weights flip " + i, () -> Checkpoint.open(folder).close());
      write("config.json", flipped(config, random.nextInt(config.length), random));
      harmlessOrRefused("config flip " + i, () -> LlamaConfig.read(folder));
      write("tokenizer.json", flipped(tokenizer, random.nextInt(tokenizer.length), random));
      write("tokenizer_config.json", tokenizerConfig);
      harmlessOrRefused("tokenizer flip " + i, () -> {
        try (HuggingFaceTokenizer opened = HuggingFaceTokenizer.open(folder)) {
          opened.decode(opened.encodeWithBos("Once upon a time, \uD83D\uDE00 ünï\n\n  12345"), true);
        }
      });
    }
  }

  private static byte[] flipped(byte[] content, int at, Random random) {
    byte[] changed = content.clone();
    changed[at] ^= (byte) (1 << random.nextInt(8));
    return changed;
  }

  private long headerBytes() {
    return ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  private void header(String json, int dataBytes) throws IOException {
    checkpoint("header " + shortened(json), RawSafetensors.bytes(json, dataBytes));
  }

  private void checkpoint(String name, byte[] content) throws IOException {
    write("model.safetensors", content);
    open(name, () -> Checkpoint.open(folder).close());
  }

  private void json(String name, byte[] content, Runnable read) throws IOException {
    write(name, content);
    open(name + " " + shortened(new String(content, StandardCharsets.UTF_8)), read);
  }

  private void write(String name, byte[] content) throws IOException {
    Files.write(folder.resolve(name), content);
  }

  private void open(String name, Runnable read) {
    attempt(name, read, failed -> failures.add(failed + ": was taken as valid"));
  }

  private void harmlessOrRefused(String name, Runnable read) {
    attempt(name, read, _ -> harmless++);
  }

  private void attempt(String name, Runnable read, Consumer<String> whenValid) {
    try {
      read.run();
      whenValid.accept(name);
    } catch (JqloraException e) {
      String message = String.valueOf(e.getMessage());
      boolean oneLine = message.codePoints().noneMatch(c -> Character.isISOControl(c) || c == 0x2028);
      if (oneLine && message.length() > 20 && message.length() < 1000) {
        refused++;
      } else {
        failures.add(name + ": " + shortened(message));
      }
    } catch (RuntimeException | Error e) {
      failures.add(name + ": " + e);
    }
  }

  private static String shortened(String text) {
    return text.length() > 80 ? text.substring(0, 80) + "…" : text;
  }
}
