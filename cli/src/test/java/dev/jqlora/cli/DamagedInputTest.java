package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files that are damaged at random: whatever a command reads, it ends well or in one line with its exit code, never in a
 * stack trace, a hang or a lack of memory.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class DamagedInputTest {
  private static final int DAMAGES_PER_FILE = 24;

  @TempDir
  private Path folder;

  /** A way to spoil a file. */
  private enum Damage {
    TRUNCATED, EMPTY, BIT_FLIPPED, PART_MISSING, BYTES_INSERTED, OVERWRITTEN_WITH_ONES, ANOTHER_NUMBER;

    byte[] apply(byte[] file, Random random) {
      byte[] damaged = file.clone();
      int at = random.nextInt(file.length);
      int length = Math.min(file.length - at, 1 + random.nextInt(64));
      return switch (this) {
        case TRUNCATED -> Arrays.copyOf(file, at);
        case EMPTY -> new byte[0];
        case BIT_FLIPPED -> {
          damaged[at] ^= (byte) (1 << random.nextInt(8));
          yield damaged;
        }
        case PART_MISSING -> joined(file, at, new byte[0], at + length);
        case BYTES_INSERTED -> {
          byte[] bytes = new byte[length];
          random.nextBytes(bytes);
          yield joined(file, at, bytes, at);
        }
        // In floating point these are NaN, in a length a number beyond all files, in a text no UTF-8.
        case OVERWRITTEN_WITH_ONES -> {
          Arrays.fill(damaged, at, at + length, (byte) 0xFF);
          yield damaged;
        }
        case ANOTHER_NUMBER -> {
          for (int i = at; i < file.length; i++) {
            if (Character.isDigit(file[i])) {
              yield joined(file, i,
                  Integer.toString(random.nextInt()).getBytes(StandardCharsets.US_ASCII),
                  i + 1);
            }
          }
          yield damaged;
        }
      };
    }

    private static byte[] joined(byte[] file, int end, byte[] between, int begin) {
      ByteArrayOutputStream joined = new ByteArrayOutputStream();
      joined.write(file, 0, end);
      joined.writeBytes(between);
      joined.write(file, begin, file.length - begin);
      return joined.toByteArray();
    }
  }

  private Path copy(String data) throws IOException {
    Path copy = Files.createDirectories(folder.resolve(data.replace('/', '-')));
    try (Stream<Path> files = Files.list(Shell.data(data))) {
      for (Path file : files.toList()) {
        Files.write(copy.resolve(file.getFileName()), Files.readAllBytes(file));
      }
    }
    return copy;
  }

  /** Damages one file again and again under a command that reads it; at the end the file is whole again. */
  private static DynamicTest test(Path file, String... command) {
    String name = String.valueOf(file.subpath(file.getNameCount() - 2, file.getNameCount()));
    return DynamicTest.dynamicTest(name, () -> {
      byte[] whole = Files.readAllBytes(file);
      assertEquals(0, Shell.run(command).exitCode(), Shell.run(command).err());
      Random random = new Random(file.getFileName().hashCode());
      int refused = 0;
      try {
        for (int i = 0; i < DAMAGES_PER_FILE; i++) {
          Damage damage = Damage.values()[i % Damage.values().length];
          Files.write(file, damage.apply(whole, random));
          Shell.Result result = Shell.run(command);
          checkEnd(result, damage + " " + i);
          refused += result.exitCode() == 0 ? 0 : 1;
        }
      } finally {
        Files.write(file, whole);
      }
      assertTrue(refused > DAMAGES_PER_FILE / 8, "only %d of %d damages were noticed".formatted(refused,
          DAMAGES_PER_FILE));
    });
  }

  private static void checkEnd(Shell.Result result, String damage) {
    assertNotEquals(1, result.exitCode(), () -> damage + ": " + result.err());
    assertFalse(result.err().contains("out of memory"), () -> damage + ": " + result.err());
    assertFalse(result.err().contains("\tat "), () -> damage + ": " + result.err());
    long errors = result.err().lines().filter(line -> line.startsWith("jqlora: error: ")).count();
    assertEquals(result.exitCode() == 0 ? 0 : 1, errors, () -> damage + ": " + result.err());
  }

  @TestFactory
  List<DynamicTest> modelsAndAdapters() throws IOException {
    Path model = copy("stories260K");
    Path quantized = copy("golden/model-bnb-4bit");
    Path adapter = copy("golden/lora/initial");
    String[] generate = {"generate", "--model", model.toString(), "--prompt", "Once upon a time", "--temperature", "0",
        "--max-new-tokens", "2", "--threads", "1"};
    String[] adapted = Stream.concat(Stream.of(generate), Stream.of("--adapter", adapter.toString())).toArray(
        String[]::new);
    Path text = Files.writeString(folder.resolve("text"), "Once upon a time there was a dog.");
    String[] perplexity = {"perplexity", "--model", quantized.toString(), "--tokenizer", model.toString(), "--file",
        text
            .toString(),
        "--threads", "1"};
    return List.of(test(model.resolve("config.json"), generate), test(model.resolve("tokenizer.json"), generate),
        test(model.resolve("tokenizer_config.json"), generate), test(model.resolve("model.safetensors"), generate),
        test(adapter.resolve("adapter_config.json"), adapted), test(adapter.resolve("adapter_model.safetensors"),
            adapted),
        test(quantized.resolve("config.json"), perplexity), test(quantized.resolve("model.safetensors"), perplexity));
  }

  @TestFactory
  List<DynamicTest> configurationsAndDatasets() throws IOException {
    Path data = Files.createDirectories(folder.resolve("data"));
    Path info = Files.writeString(data.resolve("dataset_info.json"),
        "{\"rows\": {\"file_name\": \"rows.jsonl\"}}");
    List<String> rows = new ArrayList<>();
    for (JsonNode example : Shell.golden("nll.json")) {
      rows.add("{\"instruction\": \"Go on.\", \"input\": %s, \"output\": \"The end.\"}".formatted(example.get("text")));
    }
    Path lines = Files.write(data.resolve("rows.jsonl"), rows);
    Path yaml = Files.writeString(folder.resolve("run.yaml"), """
        # A run of one step.
        stage: sft
        do_train: true
        finetuning_type: lora
        lora_rank: 2
        dataset: rows
        template: default
        cutoff_len: 32
        learning_rate: 1.0e-4
        lr_scheduler_type: cosine
        quiet: true
        """);
    String[] train = {"train", yaml.toString(), "model_name_or_path=" + Shell.data("stories260K"),
        "dataset_dir=" + data,
        "output_dir=" + folder.resolve("out"), "overwrite_output_dir=true", "save_strategy=no", "max_steps=1",
        "per_device_train_batch_size=1", "gradient_accumulation_steps=1", "threads=1"};
    return List.of(test(yaml, train), test(info, train), test(lines, train));
  }
}
