package dev.jqlora.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.adapter.AdapterFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Damaged adapters and checkpoints: each ends in one line that names the file or folder, and in the right kind. */
class DamagedRunFilesTest {
  private static final String STATE = "jqlora_state.json";

  @TempDir
  Path temporary;
  private int folders;

  @FunctionalInterface
  private interface Damage {
    void to(Path folder) throws IOException;
  }

  private record Case(String name, Damage damage, String part) {}

  @TestFactory
  Stream<DynamicTest> adapters() {
    String weights = AdapterFiles.FILE;
    String config = AdapterConfig.FILE;
    return Stream.of(new Case("no config", remove(config), config),
        new Case("empty config", content(config, ""), "nothing"),
        new Case("config cut", cut(config, 60), "not valid JSON"),
        new Case("config is a list", content(config, "[]"), "an array"),
        new Case("config is not UTF-8", bytes(config, 0xff, 0xfe), "not UTF-8"),
        new Case("config with a key twice", replace(config, "\"r\": 2", "\"r\": 2, \"r\": 2"), "Duplicate"),
        new Case("config followed by text", append(config, "{}"), "not valid JSON"),
        new Case("config is a folder", folderInstead(config), "cannot read"),
        new Case("deep config", content(config, "[".repeat(100_000)), "not valid JSON"),
        new Case("rank as text", replace(config, "\"r\": 2", "\"r\": \"2\""), "\"r\""),
        new Case("rank beyond all", replace(config, "\"r\": 2", "\"r\": 99999999999"), "\"r\""),
        new Case("alpha that overflows", replace(config, "\"lora_alpha\": 4", "\"lora_alpha\": 1e999"), "lora_alpha"),
        new Case("dropout of 2", replace(config, "\"lora_dropout\": 0.0", "\"lora_dropout\": 2"), "lora_dropout"),
        new Case("DoRA", replace(config, "\"use_dora\": false", "\"use_dora\": true"), "DoRA"),
        new Case("target that is none", replace(config, "q_proj", "c_attn"), "c_attn"),
        new Case("target with control characters", replace(config, "q_proj", "q\\u001b[31m\\n"), "\\u001b"),
        new Case("another rank than the tensors'", replace(config, "\"r\": 2", "\"r\": 4"), "expected F32"),
        new Case("other targets than the tensors'", replace(config, "q_proj", "k_proj"), "lacks 4 tensors"),
        new Case("no weights", remove(weights), weights),
        new Case("empty weights", content(weights, ""), "not a valid safetensors file"),
        new Case("weights cut in the header", cut(weights, 100), "not a valid safetensors file"),
        new Case("weights cut in the data", cut(weights, 1500), "not a valid safetensors file"),
        new Case("weights with bytes after them", append(weights, "x"), "not a valid safetensors file"),
        new Case("huge header", bytes(weights, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, '{'), "safetensors"),
        new Case("weights that are a pickle", bytes(weights, 0x80, 0x02, 0x7d, 0x71, 0, 0, 0, 0, 0, 0), "safetensors"),
        new Case("a tensor of F64", replace(weights, "F32", "F64"), "not a valid safetensors file"),
        new Case("a tensor of I32", replaceAll(weights, "F32", "I32"), "expected F32, F16 or BF16"),
        new Case("a tensor renamed", replace(weights, "layers.1.", "layers.9."), "unexpectedly 1 tensor"),
        new Case("a tensor transposed", replace(weights, "[2,8]", "[8,2]"), "[8, 2]"),
        new Case("NaN", endsWith(weights, 0, 0, 0xc0, 0x7f), "NaN or infinite"),
        new Case("infinity", endsWith(weights, 0, 0, 0x80, 0xff), "NaN or infinite"),
        new Case("pickle only", folder -> Files.move(folder.resolve(weights), folder.resolve("adapter_model.bin")),
            "Python pickle"))
        .map(damaged -> test(damaged, folder -> TinyRun.loadAdapter(folder, AdapterConfig.read(folder))));
  }

  @TestFactory
  Stream<DynamicTest> checkpoints() {
    String trainer = TrainerState.FILE;
    String optimizer = SessionStates.FILE;
    return Stream.of(new Case("no state", remove(STATE), "has no jqlora_state.json"),
        new Case("empty state", content(STATE, ""), "nothing"),
        new Case("state cut", cut(STATE, 80), "not valid JSON"),
        new Case("state edited", replace(STATE, "\"seed\": \"42\"", "\"seed\": \"43\""), "checksum"),
        new Case("state of another version", replace(STATE, "\"format\": 1", "\"format\": 2"), "another version"),
        new Case("state without content", content(STATE, "{\"format\": 1}"), "\"content\""),
        new Case("state without checksum", content(STATE, "{\"format\": 1, \"content\": {}}"), "\"crc32c\""),
        new Case("state is a number", content(STATE, "7"), "expected"),
        new Case("optimizer gone", remove(optimizer), "lacks its file"),
        new Case("optimizer cut", cut(optimizer, 100), "100 bytes"),
        new Case("optimizer emptied", content(optimizer, ""), "0 bytes"),
        new Case("optimizer with a bit flipped", flipLast(optimizer), "damaged or edited"),
        new Case("optimizer is a folder", folderInstead(optimizer), "lacks its file"),
        new Case("weights gone", remove(AdapterFiles.FILE), "lacks its file"),
        new Case("weights with a bit flipped", flipLast(AdapterFiles.FILE), "damaged or edited"),
        new Case("weights longer", append(AdapterFiles.FILE, "x"), "were saved"),
        new Case("adapter config edited", replace(AdapterConfig.FILE, "\"r\": 2", "\"r\": 4"), "damaged or edited"),
        new Case("trainer state gone", remove(trainer), "lacks its file"),
        new Case("trainer state edited", replace(trainer, "\"global_step\": 4", "\"global_step\": 5"), "damaged"),
        new Case("everything gone", folder -> FolderFiles.list(folder).forEach(FolderFiles::delete), STATE),
        new Case("a file instead", folder -> {
          FolderFiles.delete(folder);
          Files.writeString(folder, "");
        }, "is no folder"))
        .map(damaged -> test(damaged, Checkpoints::read));
  }

  /** What a checksum cannot catch: a file that was never right. */
  @TestFactory
  Stream<DynamicTest> trainerStates() {
    String file = TrainerState.FILE;
    return Stream.of(new Case("no step", replace(file, "\"global_step\": 4,", ""), "\"global_step\" is missing"),
        new Case("step below 0", replace(file, "\"global_step\": 4", "\"global_step\": -4"), "global_step"),
        new Case("step beyond 32 bits", replace(file, "\"global_step\": 4", "\"global_step\": 4294967296"),
            "32 bits"),
        new Case("epoch as text", replace(file, "\"epoch\": 0.4,\n  \"eval", "\"epoch\": \"x\",\n  \"eval"), "epoch"),
        new Case("history is no list", replace(file, "\"log_history\": [", "\"log_history\": 3, \"x\": ["),
            "array of objects"),
        new Case("history of numbers", replace(file, "\"log_history\": [", "\"log_history\": [3,"), "log_history"),
        new Case("entry without figures", replace(file, "\"loss\"", "\"lost\""), "without figures"),
        new Case("entry without its norm", replace(file, "\"grad_norm\": 0.1,", ""), "grad_norm"),
        new Case("best without its step", replace(file, "\"best_metric\": null", "\"best_metric\": 1.5"),
            "best_global_step"),
        new Case("cut", cut(file, 200), "not valid JSON"), new Case("gone", remove(file), "cannot read"))
        .map(damaged -> test(damaged, TrainerState::read));
  }

  @TestFactory
  Stream<DynamicTest> otherOptimizers() {
    String file = SessionStates.FILE;
    return Stream.of(new Case("a state of another name", replace(file, "optimizer.a", "optimizer.b"), "optimizer.b"),
        new Case("a state of another shape", replace(file, "[2,3]", "[3,2]"), "F32[3, 2]"),
        new Case("a state of another type", replace(file, "\"F32\",\"shape\":[2,3]", "\"I32\",\"shape\":[2,3]"),
            "expected F32[2, 3]"),
        new Case("cut", cut(file, 150), "not a valid safetensors file")).map(damaged -> test(damaged, folder -> {
          try (TinyRun run = new TinyRun(7)) {
            run.load(folder);
          }
        }));
  }

  @FunctionalInterface
  private interface Reading {
    void of(Path folder);
  }

  private DynamicTest test(Case damaged, Reading reading) {
    return DynamicTest.dynamicTest(damaged.name(), () -> {
      Path folder;
      try (TinyRun run = new TinyRun(1)) {
        folder = run.save(new Checkpoints(temporary.resolve("run" + folders++)), 4);
      }
      reading.of(folder);
      damaged.damage().to(folder);
      JqloraException error = assertThrows(JqloraException.class, () -> reading.of(folder));
      String message = Objects.requireNonNull(error.getMessage());
      assertTrue(message.chars().noneMatch(Character::isISOControl), message);
      assertTrue(message.contains(damaged.part()), message);
      assertTrue(message.contains(folder.getFileName().toString()), message);
      assertFalse(message.contains("Exception"), message);
      assertEquals(message.contains("cannot read") ? Kind.IO : Kind.MODEL, error.kind(), message);
    });
  }

  private static Damage remove(String name) {
    return folder -> Files.delete(folder.resolve(name));
  }

  private static Damage content(String name, String text) {
    return folder -> Files.writeString(folder.resolve(name), text);
  }

  private static Damage bytes(String name, int... values) {
    return folder -> Files.write(folder.resolve(name), ofInts(values));
  }

  private static byte[] ofInts(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static Damage cut(String name, int length) {
    return change(name, content -> {
      assertTrue(content.length > length, name + " has only " + content.length + " bytes");
      return Arrays.copyOf(content, length);
    });
  }

  private static Damage append(String name, String text) {
    return folder -> Files.writeString(folder.resolve(name), text, StandardOpenOption.APPEND);
  }

  private static Damage flipLast(String name) {
    return change(name, content -> {
      content[content.length - 1] ^= 1;
      return content;
    });
  }

  private static Damage endsWith(String name, int... values) {
    return change(name, content -> {
      System.arraycopy(ofInts(values), 0, content, content.length - values.length, values.length);
      return content;
    });
  }

  /** Replaces the first occurrence; in a safetensors file by a text of the same length. */
  private static Damage replace(String name, String text, String other) {
    return change(name, content -> {
      String before = new String(content, StandardCharsets.ISO_8859_1);
      assertTrue(before.contains(text), () -> name + " does not contain " + text + ": " + before);
      int at = before.indexOf(text);
      return (before.substring(0, at) + other + before.substring(at + text.length())).getBytes(
          StandardCharsets.ISO_8859_1);
    });
  }

  private static Damage replaceAll(String name, String text, String other) {
    return change(name, content -> new String(content, StandardCharsets.ISO_8859_1).replace(text, other).getBytes(
        StandardCharsets.ISO_8859_1));
  }

  private static Damage folderInstead(String name) {
    return folder -> {
      Files.delete(folder.resolve(name));
      Files.createDirectory(folder.resolve(name));
    };
  }

  private static Damage change(String name, UnaryOperator<byte[]> change) {
    return folder -> Files.write(folder.resolve(name), change.apply(Files.readAllBytes(folder.resolve(name))));
  }
}
