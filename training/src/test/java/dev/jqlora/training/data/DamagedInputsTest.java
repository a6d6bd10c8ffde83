package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.training.config.Stage;
import dev.jqlora.training.config.TrainingArguments;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever is wrong with a configuration or a dataset, the user gets one line that says where and what, and no more. */
class DamagedInputsTest {
  private static final String MODEL = "model_name_or_path: m\n";
  private static final String ALPACA = "{\"d\":{\"file_name\":\"%s\"}}";
  private static final String CHAT = "{\"d\":{\"file_name\":\"%s\",\"formatting\":\"sharegpt\"}}";
  private static final String TOKENS = "{\"d\":{\"file_name\":\"%s\",\"formatting\":\"tokenized\"}}";
  private static final String GOOD = "{\"instruction\":\"a\",\"input\":\"b\",\"output\":\"c\"}\n";

  @TempDir
  Path folder;

  /** A damaged file. {@code complaint} is the whole message after the file's name, or its beginning where it ends in "*". */
  record Case(String name, String content, String complaint) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Case yaml(String name, String content, String complaint) {
    return new Case(name, content, complaint);
  }

  static Stream<Case> configurations() {
    return Stream.of(yaml("empty", "", " is empty; expected lines of the form key: value"),
        yaml("comments only", "# nothing\n", " is empty; expected lines of the form key: value"),
        yaml("a list", "- a\n- b\n", ":1: expected lines of the form key: value, got a list"),
        yaml("one text", "hello", ":1: expected lines of the form key: value, got one text"),
        yaml("tab", MODEL + "\tstage: pt\n", ":2:1: YAML syntax: *"),
        yaml("unclosed list", MODEL + "lora_target: [q_proj, v_proj\n", ":3:1: YAML syntax: *"),
        yaml("unclosed quote", MODEL + "output_dir: \"x\n", ":3:1: YAML syntax: found unexpected end of stream"),
        yaml("unclosed brace", MODEL + "lr_scheduler_kwargs: {a: 1\n", ":3:1: YAML syntax: *"),
        yaml("no colon", MODEL + "stage pt\nlora_rank: 8\n", ":*"),
        yaml("colon in value", MODEL + "output_dir: a: b\n", ":2:14: YAML syntax: mapping values are not allowed here"),
        yaml("bad indentation", MODEL + "  stage: pt\n", ":2:8: YAML syntax: mapping values are not allowed here"),
        yaml("undefined alias", MODEL + "stage: *x\n", ":2:8: YAML syntax: found undefined alias x"),
        yaml("two documents", MODEL + "---\nstage: pt\n", ":2:1: YAML syntax: but found another document"),
        yaml("control character", MODEL + "stage: p\u0000t\n", ": YAML syntax: *"),
        yaml("very deep", MODEL + "lora_target: " + "[".repeat(10_000), ": YAML syntax: *"),
        yaml("alias bomb", MODEL + "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
            ":3: b: expected plain values inside, got a nested list or mapping"),
        yaml("key twice", MODEL + "lora_rank: 8\n\nlora_rank: 16\n",
            ":4: \"lora_rank\" stands already in line 2; keep one of the two"),
        yaml("key is a list", MODEL + "[a, b]: 1\n", ":2: expected a word as the key, got a list or mapping"),
        yaml("key with a line end", MODEL + "\"a\\nb\": 1\n", ":2: expected a key of letters, digits and _, got *"),
        yaml("unknown key", MODEL + "lora_rnk: 1\n", ":2: unknown key lora_rnk; did you mean lora_rank?"),
        yaml("nested list", MODEL + "dataset: [[a]]\n",
            ":2: dataset: expected plain values inside, got a nested list or mapping"),
        yaml("not a number", MODEL + "learning_rate: fast\n",
            ":2: learning_rate: expected a number of at least 0, got \"fast\""),
        yaml("not finite", MODEL + "learning_rate: .nan\n",
            ":2: learning_rate: expected a number of at least 0, got \".nan\""),
        yaml("overflow", MODEL + "learning_rate: 1e999\n",
            ":2: learning_rate: expected a number of at least 0, got \"1e999\""),
        yaml("negative", MODEL + "weight_decay: -1\n", ":2: weight_decay: expected a number of at least 0, got \"-1\""),
        yaml("not whole", MODEL + "lora_rank: 8.5\n",
            ":2: lora_rank: expected a whole number from 1 to 65536, got \"8.5\""),
        yaml("zero rank", MODEL + "lora_rank: 0\n",
            ":2: lora_rank: expected a whole number from 1 to 65536, got \"0\""),
        yaml("beyond int", MODEL + "max_steps: 99999999999\n",
            ":2: max_steps: expected a whole number of at least -1, got \"99999999999\""),
        yaml("zero steps", MODEL + "max_steps: 0\n",
            ":2: max_steps: expected a number above 0, or -1 to count in epochs, got 0"),
        yaml("not a flag", MODEL + "do_train: maybe\n", ":2: do_train: expected true or false, got \"maybe\""),
        yaml("a list for a number", MODEL + "lora_rank: [8]\n",
            ":2: lora_rank: expected a whole number from 1 to 65536, got a list of 1"),
        yaml("a text with a zero byte", MODEL + "output_dir: \"a\\0b\"\n",
            ":2: output_dir: expected one text, got \"a\\u0000b\""),
        yaml("a mapping for a text", MODEL + "output_dir: {a: b}\n",
            ":2: output_dir: expected one text, got a mapping of 1"),
        yaml("a number for a mapping", MODEL + "lr_scheduler_kwargs: 3\n",
            ":2: lr_scheduler_kwargs: expected a mapping {name: value}, got \"3\""),
        yaml("empty name", MODEL + "dataset: a,,b\n",
            ":2: dataset: expected one or more names (a, b) without empty entries"),
        yaml("no such stage", MODEL + "stage: pretrain\n", ":2: stage: expected one of pt, sft, got \"pretrain\""),
        yaml("refused stage", MODEL + "stage: dpo\n",
            ":2: stage: dpo is not supported: only stages pt and sft are trained; expected one of pt, sft"),
        yaml("refused bits", MODEL + "quantization_bit: 8\n",
            ":2: quantization_bit: 8 is not supported: only 4-bit NF4 is built in; expected one of 4"),
        yaml("refused code", MODEL + "quantization_type: fp4\n",
            ":2: quantization_type: fp4 is not supported: only nf4 is built in; expected one of nf4"),
        yaml("refused method", MODEL + "finetuning_type: oft\n",
            ":2: finetuning_type: oft is not supported: adapters are LoRA; expected one of lora, full"),
        yaml("refused optimizer", MODEL + "optim: adafactor\n", ":2: optim: adafactor is not supported: *"),
        yaml("galore", MODEL + "use_galore: true\n",
            ":2: use_galore: true is not supported: supported are the values *"),
        yaml("pissa", MODEL + "pissa_init: true\n", ":2: pissa_init: true is not supported: supported are LoRA, *"),
        yaml("no such schedule", MODEL + "lr_scheduler_type: triangle\n", ":2: lr_scheduler_type: expected one of *"),
        yaml("size without number", MODEL + "device_memory: GB\n", ":2: device_memory: expected a size such as *"),
        yaml("no model", "stage: pt\n", "!configuration: model_name_or_path: required: the folder of the base model"),
        yaml("null model", "model_name_or_path: null\n",
            ":1: model_name_or_path: required: the folder of the base model"),
        yaml("full on 4 bits", MODEL + "finetuning_type: full\nquantization_bit: 4\n",
            ":2: finetuning_type: full is not possible on a quantized model; expected lora, or no quantization_bit"),
        yaml("full with adapter", MODEL + "finetuning_type: full\nadapter_name_or_path: x\n",
            ":2: finetuning_type: full cannot be combined with adapter_name_or_path; expected lora"),
        yaml("two adapters", MODEL + "adapter_name_or_path: x,y\n",
            ":2: adapter_name_or_path: expected one adapter, got 2; several are never merged here"),
        yaml("neat_packing in pt", MODEL + "stage: pt\nneat_packing: true\n",
            ":3: neat_packing: cannot be true outside stage sft"),
        yaml("mask_history in pt", MODEL + "stage: pt\nmask_history: true\n",
            ":3: mask_history: cannot be true outside stage sft"),
        yaml("mask_history and train_on_prompt", MODEL + "mask_history: true\ntrain_on_prompt: true\n",
            ":2: mask_history: cannot be combined with train_on_prompt; keep one of the two"),
        yaml("two evaluation sets", MODEL + "val_size: 0.1\neval_dataset: x\n",
            ":2: val_size: cannot be combined with eval_dataset; keep one of the two"),
        yaml("val_size between", MODEL + "val_size: 1.5\n",
            ":2: val_size: expected a share below 1 or a whole number of rows, got 1.5"),
        yaml("train on nothing", MODEL + "do_train: true\n",
            "!configuration: dataset: required by do_train: names in dataset_info.json"),
        yaml("evaluate on nothing", MODEL + "eval_strategy: steps\n",
            "!configuration: eval_dataset: required by evaluation: give eval_dataset or val_size"),
        yaml("online", MODEL + "dataset_dir: ONLINE\n", ":2: dataset_dir: ONLINE is not supported: nothing is *"),
        yaml("shares without interleaving", MODEL + "dataset: a,b\ninterleave_probs: 0.5,0.5\n",
            ":3: interleave_probs: only valid where mix_strategy is interleave_under, _over or _once"),
        yaml("too few shares", MODEL + "dataset: a,b\nmix_strategy: interleave_under\ninterleave_probs: 1.0\n",
            ":4: interleave_probs: expected one share per dataset (2), got 1"),
        yaml("shares beyond 1", MODEL + "dataset: a,b\nmix_strategy: interleave_under\ninterleave_probs: [0.5, 0.7]\n",
            ":4: interleave_probs: expected shares that sum to 1, got 1.2"),
        yaml("all and names", MODEL + "lora_target: all,q_proj\n",
            ":2: lora_target: expected all alone, or names of layers without all"),
        yaml("broken logging steps", MODEL + "logging_steps: 1.5\n",
            ":2: logging_steps: expected a whole number of steps or a share below 1, got 1.5"),
        yaml("best without evaluation", MODEL + "load_best_model_at_end: true\n",
            ":2: load_best_model_at_end: eval_strategy and save_strategy must be the same and not no"),
        yaml("best between saves",
            MODEL
                + "load_best_model_at_end: true\neval_strategy: steps\neval_steps: 30\nsave_steps: 100\nval_size: 1\n",
            ":5: save_steps: with load_best_model_at_end it must be a multiple of eval_steps"),
        yaml("early stopping without evaluation", MODEL + "early_stopping_steps: 3\n",
            ":2: early_stopping_steps: needs eval_strategy steps or epoch"),
        yaml("accuracy not computed", MODEL + "metric_for_best_model: accuracy\n",
            ":2: metric_for_best_model: accuracy needs compute_accuracy: true"));
  }

  @ParameterizedTest
  @MethodSource("configurations")
  void configuration(Case damaged) throws IOException {
    Path file = Files.writeString(folder.resolve("run.yaml"), damaged.content());
    check(damaged, Kind.CONFIG, file, () -> TrainingArguments.read(file, List.of()));
  }

  static Stream<Case> jsonConfigurations() {
    return Stream.of(new Case("empty", "", " is empty; expected lines of the form key: value"),
        new Case("a list", "[1]", ":1: expected an object {\"key\": value, ...}"),
        new Case("cut off", "{\"stage\": \"pt\",\n", ":2:1: JSON syntax: *"),
        new Case("key twice", "{\"stage\": \"pt\", \"stage\": \"sft\"}", ":1:24: JSON syntax: Duplicate field 'stage'"),
        new Case("text after it", "{\"model_name_or_path\": \"m\"} x", ":1:30: JSON syntax: *"),
        new Case("nested", "{\"dataset\": [[\"a\"]]}",
            ":1: dataset: expected plain values inside, got a nested list or mapping"),
        new Case("wrong type", "{\"model_name_or_path\": \"m\",\n\"lora_rank\": \"x\"}",
            ":2: lora_rank: expected a whole number from 1 to 65536, got \"x\""));
  }

  @ParameterizedTest
  @MethodSource("jsonConfigurations")
  void jsonConfiguration(Case damaged) throws IOException {
    Path file = Files.writeString(folder.resolve("run.json"), damaged.content());
    check(damaged, Kind.CONFIG, file, () -> TrainingArguments.read(file, List.of()));
  }

  static Stream<Case> words() {
    return Stream.of(new Case("no key", "=3", "!command line: expected key=value or --key value, got \"=3\""),
        new Case("no value", "lora_rank", "!command line: expected key=value or --key value, got \"lora_rank\""),
        new Case("only dashes", "--", "!command line: expected key=value or --key value, got \"--\""),
        new Case("unknown", "lorarank=3", "!command line: unknown key lorarank; did you mean lora_rank?"),
        new Case("wrong type", "lora_rank=x",
            "!command line: lora_rank: expected a whole number from 1 to 65536, got \"x\""),
        new Case("unclosed", "lora_target=[a", "!command line: lora_target:1:*"),
        new Case("strange key", "a b=1", "!command line: expected a key of letters, digits and _, got \"a b\""));
  }

  @ParameterizedTest
  @MethodSource("words")
  void commandLine(Case damaged) {
    check(damaged, Kind.CONFIG, folder,
        () -> TrainingArguments.read(null, List.of("model_name_or_path=m", damaged.content())));
  }

  static Stream<Case> descriptions() {
    return Stream.of(new Case("empty", "", ": expected an object {...}, got nothing"),
        new Case("a list", "[]", ": expected an object {...}, got a list of 0"),
        new Case("cut off", "{\"d\": {", ": JSON syntax: Unexpected end-of-input: expected close marker for Object"),
        new Case("name twice", "{\"d\":{}, \"d\":{}}", ": JSON syntax: Duplicate field 'd'"),
        new Case("other name", "{\"e\":{}}", ": no dataset \"d\"; it has \"e\""),
        new Case("not an object", "{\"d\":3}", ": \"d\": expected an object, got 3"),
        new Case("no file", "{\"d\":{}}", ": \"d\": file_name is missing; *"),
        new Case("file of a wrong type", "{\"d\":{\"file_name\":3}}", ": \"d\": file_name: expected text, got 3"),
        new Case("file not there", "{\"d\":{\"file_name\":\"x.json\"}}", ": \"d\": file_name: *"),
        new Case("not a path", "{\"d\":{\"file_name\":\"a\\u0000b\"}}",
            ": \"d\": file_name: \"a\\u0000b\" is not a path"),
        new Case("parquet", "{\"d\":{\"file_name\":\"a.parquet\"}}",
            "!FOLDER/a.parquet: expected a file named *.json, *.jsonl, *.csv or *.txt (convert parquet and arrow to jsonl)"),
        new Case("files of two formats", "{\"d\":{\"file_name\":\"mixed\"}}",
            ": \"d\": file_name: files of one format were expected in *"),
        new Case("an empty folder", "{\"d\":{\"file_name\":\"none\"}}", ": \"d\": file_name: the folder *"),
        new Case("hub", "{\"d\":{\"hf_hub_url\":\"a/b\",\"file_name\":\"a.jsonl\"}}",
            ": \"d\": hf_hub_url is not supported: download the files into dataset_dir and name them by file_name"),
        new Case("ranking", "{\"d\":{\"file_name\":\"a.jsonl\",\"ranking\":true}}",
            ": \"d\": ranking datasets are not supported: only stages pt and sft are trained"),
        new Case("formatting", "{\"d\":{\"file_name\":\"a.jsonl\",\"formatting\":\"llava\"}}",
            ": \"d\": formatting: expected one of alpaca, sharegpt, openai, tokenized, got \"llava\""),
        new Case("split", "{\"d\":{\"file_name\":\"a.jsonl\",\"split\":\"test\"}}",
            ": \"d\": split: expected \"train\" (files on disk have no other), got \"test\""),
        new Case("samples", "{\"d\":{\"file_name\":\"a.jsonl\",\"num_samples\":-1}}",
            ": \"d\": num_samples: expected a whole number of at least 1, got \"-1\""),
        new Case("columns of a wrong type", "{\"d\":{\"file_name\":\"a.jsonl\",\"columns\":[]}}",
            ": \"d\": columns: expected an object, got a list of 0"),
        new Case("a column of a wrong type", "{\"d\":{\"file_name\":\"a.jsonl\",\"columns\":{\"prompt\":1}}}",
            ": \"d\": columns: prompt: expected the name of a column, got 1"),
        new Case("no prompt column", "{\"d\":{\"file_name\":\"a.jsonl\",\"columns\":{\"query\":\"x\"}}}",
            ": \"d\": columns: prompt is missing; a column that columns does not name is not read"),
        new Case("images", "{\"d\":{\"file_name\":\"a.jsonl\",\"columns\":{\"prompt\":\"x\",\"images\":\"y\"}}}",
            ": \"d\": columns: images is not supported: rows are text, or token ids"),
        new Case("tags of a wrong type",
            "{\"d\":{\"file_name\":\"a.jsonl\",\"formatting\":\"sharegpt\",\"tags\":{\"role_tag\":[]}}}",
            ": \"d\": role_tag: expected text, got a list of 0"));
  }

  @ParameterizedTest
  @MethodSource("descriptions")
  void description(Case damaged) throws IOException {
    Files.writeString(folder.resolve("a.jsonl"), GOOD);
    Files.writeString(folder.resolve("a.parquet"), "PAR1");
    Files.createDirectories(folder.resolve("none"));
    Files.createDirectories(folder.resolve("mixed"));
    Files.writeString(folder.resolve("mixed/a.jsonl"), GOOD);
    Files.writeString(folder.resolve("mixed/b.csv"), "a\n1\n");
    Path file = Files.writeString(folder.resolve("dataset_info.json"), damaged.content());
    check(damaged, Kind.DATA, file, this::load);
  }

  /** The content is a description, a file's name and that file's content in Latin-1, separated by bars. */
  static Stream<Case> rows() {
    return Stream.of(
        rows("empty", ALPACA, "a.jsonl", "", "!FOLDER/dataset_info.json: \"d\": no rows in FOLDER/a.jsonl"),
        rows("blank lines", ALPACA, "a.jsonl", "\n\n", "!FOLDER/dataset_info.json: \"d\": no rows in FOLDER/a.jsonl"),
        rows("empty list", ALPACA, "a.json", "[]", "!FOLDER/dataset_info.json: \"d\": no rows in FOLDER/a.json"),
        rows("empty json", ALPACA, "a.json", "", "!FOLDER/dataset_info.json: \"d\": no rows in FOLDER/a.json"),
        rows("header only", ALPACA, "a.csv", "instruction,output\n",
            "!FOLDER/dataset_info.json: \"d\": no rows in FOLDER/a.csv"),
        rows("empty csv", ALPACA, "a.csv", "", "!FOLDER/dataset_info.json: \"d\": no rows in FOLDER/a.csv"),
        rows("cut-off line", ALPACA, "a.jsonl", GOOD + "{\"instruction\":\"a",
            ":2: JSON syntax: Unexpected end-of-input: was expecting closing quote for a string value"),
        rows("not json", ALPACA, "a.jsonl", GOOD + "hello\n",
            ":2: JSON syntax: Unrecognized token 'hello': was expecting *"),
        rows("two objects in a line", ALPACA, "a.jsonl", GOOD.strip() + GOOD,
            ":1: expected one object, got more text after it"),
        rows("a list in a line", ALPACA, "a.jsonl", GOOD + GOOD + "[1]\n",
            ":3: expected an object {...}, got a list of 1"),
        rows("a control character", ALPACA, "a.jsonl", "{\"instruction\":\"a\u0001\"}", ":1: JSON syntax: Illegal *"),
        rows("single quotes", ALPACA, "a.jsonl", "{'instruction':'a'}", ":1: JSON syntax: Unexpected character *"),
        rows("key twice", ALPACA, "a.jsonl", "{\"instruction\":\"a\",\"instruction\":\"b\"}",
            ":1: JSON syntax: Duplicate field 'instruction'"),
        rows("very deep", ALPACA, "a.jsonl", "[".repeat(100_000), ":1: JSON syntax: *"),
        rows("not UTF-8", ALPACA, "a.jsonl", GOOD + "{\"instruction\":\"\u00ff\"}\n",
            ":2: not UTF-8 text; convert the file to UTF-8"),
        rows("UTF-16", ALPACA, "a.jsonl", "\u00ff\u00fe{\u0000", ":1: not UTF-8 text; convert the file to UTF-8"),
        rows("text not UTF-8", "{\"d\":{\"file_name\":\"%s\",\"columns\":{\"prompt\":\"text\"}}}", "a.txt",
            "a\nb\n\u00e9\n",
            ":3: not UTF-8 text; convert the file to UTF-8"),
        rows("csv not UTF-8", ALPACA, "a.csv", "instruction,output\na,\u00ff\n",
            ":1: not UTF-8 text; convert the file to UTF-8"),
        rows("json not UTF-8", ALPACA, "a.json", "[{\"instruction\":\"\u00ff\"}]", ":1:*"),
        rows("no column", ALPACA, "a.jsonl", GOOD + "{\"question\":\"a\",\"output\":\"b\"}",
            ":2: no column \"instruction\"; the row has \"question, output\""),
        rows("no answer column", ALPACA, "a.jsonl", "{\"instruction\":\"a\"}",
            ":1: no column \"output\"; the row has \"instruction\""),
        rows("a number for a text", ALPACA, "a.jsonl", "{\"instruction\":5,\"output\":\"b\"}",
            ":1: column \"instruction\": expected text, got 5"),
        rows("a list for a text", ALPACA, "a.jsonl", "{\"instruction\":\"a\",\"output\":[\"b\"]}",
            ":1: column \"output\": expected text, got a list of 1"),
        rows("history of a wrong type",
            "{\"d\":{\"file_name\":\"%s\",\"columns\":{\"prompt\":\"p\",\"response\":\"r\",\"history\":\"h\"}}}",
            "a.jsonl",
            "{\"p\":\"a\",\"r\":\"b\",\"h\":[[\"a\"]]}",
            ":1: column \"h\": expected a list of pairs [question, answer]"),
        rows("a list of texts", ALPACA, "a.json", "[\"a\"]",
            ":1: expected a list of objects [{...}, ...], got the text \"a\""),
        rows("a list cut off", ALPACA, "a.json", "[\n" + GOOD.strip() + ",\n", ":3:1: JSON syntax: *"),
        rows("a list without comma", ALPACA, "a.json", "[" + GOOD + GOOD + "]",
            ":2:1: JSON syntax: Unexpected character *"),
        rows("text after the list", ALPACA, "a.json", "[" + GOOD + "]{}", ":2: expected nothing after the array's end"),
        rows("csv with too many values", ALPACA, "a.csv", "instruction,output\na,b\na,b,c\n",
            ":3: expected 2 values as in the header, got 3; quote values that hold commas or line ends"),
        rows("csv with too few values", ALPACA, "a.csv", "instruction,output\na\n",
            ":2: expected 2 values as in the header, got 1; quote values that hold commas or line ends"),
        rows("csv with a column twice", ALPACA, "a.csv", "output,output\na,b\n",
            ":1: a column stands twice in the header \"output,output\""),
        rows("csv with an open quote", ALPACA, "a.csv", "instruction,output\n\"a,b\n", ":*"),
        rows("csv without the column", ALPACA, "a.csv", "q,output\na,b\n",
            ":2: no column \"instruction\"; the row has \"q, output\""),
        rows("messages of a wrong type", CHAT, "a.jsonl", "{\"conversations\":\"x\"}",
            ":1: column \"conversations\": expected a list of messages, got the text \"x\""),
        rows("messages null", CHAT, "a.jsonl", "{\"conversations\":null}",
            ":1: column \"conversations\": expected a list of messages, got null"),
        rows("a message of a wrong type", CHAT, "a.jsonl", "{\"conversations\":[3]}",
            ":1: message 1: expected text as \"from\", got nothing"),
        rows("a message without text", CHAT, "a.jsonl",
            "{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":null}]}",
            ":1: message 2: expected text as \"value\", got null"),
        rows("a tool call", CHAT, "a.jsonl", "{\"conversations\":[{\"from\":\"observation\",\"value\":\"a\"}]}",
            ":1: message 1: role \"observation\": tool calls are not supported"),
        rows("roles that do not alternate", CHAT, "a.jsonl", "{\"conversations\":[{\"from\":\"x\",\"value\":\"a\"}]}",
            "!train: 1 rows give no sequence to learn from; check columns, template and cutoff_len"),
        rows("no ids", TOKENS, "a.jsonl", "{\"input_ids\":[],\"labels\":[]}",
            ":1: column \"input_ids\": expected a list of token ids, got a list of 0"),
        rows("ids of a wrong type", TOKENS, "a.jsonl", "{\"input_ids\":\"1 2\",\"labels\":[1]}",
            ":1: column \"input_ids\": expected a list of token ids, got the text \"1 2\""),
        rows("an id that is no number", TOKENS, "a.jsonl", "{\"input_ids\":[1,1.5],\"labels\":[1,1]}",
            ":1: column \"input_ids\": entry 2: expected a token id from 0 to 1001, got 1.5"),
        rows("an id beyond the vocabulary", TOKENS, "a.jsonl", "{\"input_ids\":[1,1002],\"labels\":[1,1]}",
            ":1: column \"input_ids\": entry 2: expected a token id from 0 to 1001, got 1002"),
        rows("a negative id", TOKENS, "a.jsonl", "{\"input_ids\":[-1,1],\"labels\":[1,1]}",
            ":1: column \"input_ids\": entry 1: expected a token id from 0 to 1001, got -1"),
        rows("a label beyond the vocabulary", TOKENS, "a.jsonl", "{\"input_ids\":[1,2],\"labels\":[-100,-1]}",
            ":1: column \"labels\": entry 2: expected a token id from 0 to 1001 or -100, got -1"),
        rows("too few labels", TOKENS, "a.jsonl", "{\"input_ids\":[1,2],\"labels\":[1]}",
            ":1: expected as many labels as input ids, got 1 for 2"),
        rows("no labels", TOKENS, "a.jsonl", "{\"input_ids\":[1,2]}",
            ":1: no column \"labels\"; the row has \"input_ids\""),
        rows("nothing to learn", TOKENS, "a.jsonl", "{\"input_ids\":[1,2],\"labels\":[1,-100]}",
            "!train: 1 rows give no sequence to learn from; check columns, template and cutoff_len"));
  }

  private static Case rows(String name, String description, String file, String content, String complaint) {
    return new Case(name, description.formatted(file) + "|" + file + "|" + content, complaint);
  }

  @ParameterizedTest
  @MethodSource("rows")
  void row(Case damaged) throws IOException {
    String[] parts = damaged.content().split("\\|", 3);
    Files.writeString(folder.resolve("dataset_info.json"), parts[0]);
    Path file = Files.write(folder.resolve(parts[1]), parts[2].getBytes(StandardCharsets.ISO_8859_1));
    check(damaged, Kind.DATA, file, this::load);
  }

  @Test
  void missingFilesAreNamed() {
    var noInfo = assertThrows(JqloraException.class, this::load);
    assertEquals(Kind.IO, noInfo.kind());
    assertEquals(folder.resolve("dataset_info.json") + " does not exist; dataset_dir must be a folder that holds it",
        noInfo.getMessage());
    var noConfig = assertThrows(JqloraException.class,
        () -> TrainingArguments.read(folder.resolve("x.yaml"), List.of()));
    assertEquals(Kind.IO, noConfig.kind());
    assertEquals("cannot read " + folder.resolve("x.yaml") + ": no such file or folder", noConfig.getMessage());
    var noYaml = assertThrows(JqloraException.class, () -> TrainingArguments.read(Path.of("x.toml"), List.of()));
    assertEquals("x.toml: expected a configuration named *.yaml, *.yml or *.json", noYaml.getMessage());
  }

  @Test
  void aConfigurationThatIsNotTextIsRefused() throws IOException {
    Path file = Files.write(folder.resolve("run.yaml"), new byte[]{'a', ':', ' ', (byte) 0xff});
    var thrown = assertThrows(JqloraException.class, () -> TrainingArguments.read(file, List.of()));
    assertEquals(Kind.CONFIG, thrown.kind());
    assertEquals(file + " is not UTF-8 text; convert it to UTF-8", thrown.getMessage());
    Files.writeString(file, "#".repeat((1 << 20) + 1));
    var large = assertThrows(JqloraException.class, () -> TrainingArguments.read(file, List.of()));
    assertEquals(Kind.CONFIG, large.kind());
    assertEquals(file + " has 1048577 bytes; a file of this sort has at most 1048576", large.getMessage());
  }

  private void load() {
    Datasets.load(Configs.data("dataset=d", "dataset_dir=" + folder), Stage.SFT, 42, CharacterTokenizer.plain());
  }

  /** A complaint that begins with "!" is the whole message; else it follows the file's name. */
  private void check(Case damaged, Kind kind, Path file, Executable read) {
    var thrown = assertThrows(JqloraException.class, read);
    String message = String.valueOf(thrown.getMessage());
    assertEquals(kind, thrown.kind(), message);
    assertTrue(message.lines().count() == 1 && message.length() < 700, message);
    assertFalse(message.contains("com.fasterxml") || message.contains("Source:"), message);
    String complaint = damaged.complaint().replace("FOLDER", folder.toString());
    String expected = complaint.startsWith("!") ? complaint.substring(1) : file + complaint;
    if (expected.endsWith("*")) {
      String beginning = expected.substring(0, expected.length() - 1);
      assertEquals(beginning, message.substring(0, Math.min(beginning.length(), message.length())), message);
    } else {
      assertEquals(expected, message);
    }
  }
}
