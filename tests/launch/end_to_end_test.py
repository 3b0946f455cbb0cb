#!/usr/bin/env python3
"""The program as a user meets it, on a tiny random model: ranks, resume after SIGKILL, exit codes.

usage: end_to_end_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

BINARY = None
WORDS = "what which river name city of is the a in answer new old fact query blue red".split()


def byte_alphabet():
    """The printable characters that stand for the 256 bytes in a byte-level BPE."""
    kept = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    alphabet, extra = {}, 0
    for byte in range(256):
        if byte in kept:
            alphabet[byte] = chr(byte)
        else:
            alphabet[byte] = chr(256 + extra)
            extra += 1
    return alphabet


def write_model(folder):
    """A Hugging Face folder: Llama, 2 layers, 258 tokens (bytes and two turn marks)."""
    os.makedirs(folder)
    width, inner, heads, kv, layers, vocabulary = 24, 40, 3, 1, 2, 258
    head = 8
    config = dict(model_type="llama", vocab_size=vocabulary, hidden_size=width, intermediate_size=inner,
                  num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv, head_dim=head,
                  max_position_embeddings=2048, rms_norm_eps=1e-5, tie_word_embeddings=True, hidden_act="silu",
                  rope_theta=10000.0, eos_token_id=257, bos_token_id=256)
    with open(f"{folder}/config.json", "w") as file:
        json.dump(config, file)
    vocab = {character: byte for byte, character in byte_alphabet().items()}
    marks = [dict(id=256 + i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False,
                  special=True) for i, text in enumerate(["<|im_start|>", "<|im_end|>"])]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    tokenizer = dict(version="1.0", truncation=None, padding=None, added_tokens=marks, normalizer=None,
                     pre_tokenizer=level, post_processor=None, decoder=level,
                     model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None,
                                end_of_word_suffix=None, fuse_unk=False, byte_fallback=False,
                                ignore_merges=False, vocab=vocab, merges=[]))
    with open(f"{folder}/tokenizer.json", "w") as file:
        json.dump(tokenizer, file)
    shapes = {"model.embed_tokens.weight": [vocabulary, width], "model.norm.weight": [width]}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        shapes |= {prefix + "input_layernorm.weight": [width],
                   prefix + "self_attn.q_proj.weight": [heads * head, width],
                   prefix + "self_attn.k_proj.weight": [kv * head, width],
                   prefix + "self_attn.v_proj.weight": [kv * head, width],
                   prefix + "self_attn.o_proj.weight": [width, heads * head],
                   prefix + "post_attention_layernorm.weight": [width],
                   prefix + "mlp.gate_proj.weight": [inner, width],
                   prefix + "mlp.up_proj.weight": [inner, width],
                   prefix + "mlp.down_proj.weight": [width, inner]}
    rng = random.Random(5)
    header, data = {}, b""
    for name, shape in shapes.items():
        count = 1
        for extent in shape:
            count *= extent
        values = [1.0] * count if "norm" in name else [rng.gauss(0, 0.08) for _ in range(count)]
        begin = len(data)
        data += struct.pack(f"<{count}f", *values)
        header[name] = dict(dtype="F32", shape=shape, data_offsets=[begin, len(data)])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{folder}/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write_edits(path, count):
    rng = random.Random(9)

    def phrase(words):
        return " ".join(rng.choice(WORDS) for _ in range(words))

    def side():
        return dict(subject=phrase(2), src=phrase(5) + "?", rephrase=phrase(5) + "?", alt=phrase(2),
                    loc=phrase(4) + "?", loc_ans=phrase(1),
                    portability={"New Question": phrase(5) + "?", "New Answer": phrase(1)})

    records = [dict(en=side(), es=side()) for _ in range(count)]
    with open(path, "w") as file:
        json.dump(records, file)
    return records


def count_lines(path):
    if not os.path.exists(path):
        return 0
    with open(path, "rb") as file:
        return file.read().count(b"\n")


RECIPE = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:12"}}
  - sft: {{global_batch_size: 5, max_steps: 10, learning_rate: 1.0e-2, save_steps: 2}}
  - evaluate:
      benchmark: mzsre
      data: {root}/edits_enes.json
      edit_languages: [en]
      test_languages: [es]
      records: "12:20"
  - export: {{path: {out}/hf, dtype: float32}}
"""


class EndToEnd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="xkde_end_to_end_")
        write_model(f"{cls.root}/model")
        cls.records = write_edits(f"{cls.root}/edits_enes.json", 20)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def recipe(self, out, text=RECIPE):
        path = f"{self.root}/{out}.yaml"
        with open(path, "w") as file:
            file.write(text.format(out=f"{self.root}/{out}", root=self.root))
        return path

    def command(self, arguments, ranks=1):
        if ranks == 1:
            return [BINARY, *arguments]
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        return ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), BINARY, *arguments]

    def run_program(self, arguments, ranks=1):
        return subprocess.run(self.command(arguments, ranks), capture_output=True, text=True, timeout=300,
                              env=dict(os.environ, OMP_NUM_THREADS="1"))

    def lines(self, out, name):
        with open(f"{self.root}/{out}/{name}") as file:
            return [json.loads(line) for line in file]

    def losses(self, out):
        return [line["loss"] for line in self.lines(out, "02-sft/metrics.jsonl")]

    def test_one_two_and_three_ranks_give_the_same_curve_and_files(self):
        for ranks in (1, 2, 3):
            result = self.run_program([self.recipe(f"ranks{ranks}")], ranks)
            self.assertEqual(result.returncode, 0, result.stderr)
        reference = self.losses("ranks1")
        self.assertEqual(len(reference), 10)
        self.assertLess(reference[-1], reference[0])
        predictions = self.lines("ranks1", "03-evaluate/predictions.jsonl")
        self.assertEqual(len(predictions), 8 * 4)
        for ranks in (2, 3):
            for got, expected in zip(self.losses(f"ranks{ranks}"), reference, strict=True):
                self.assertAlmostEqual(got, expected, delta=1e-5)
            other = self.lines(f"ranks{ranks}", "03-evaluate/predictions.jsonl")
            order = [(line["record"], line["metric"]) for line in other]
            self.assertEqual(order, [(line["record"], line["metric"]) for line in predictions])

    def test_a_second_run_does_nothing_and_a_changed_key_reruns(self):
        path = self.recipe("again")
        self.assertEqual(self.run_program([path]).returncode, 0)
        before = os.stat(f"{self.root}/again/02-sft/metrics.jsonl").st_mtime_ns
        second = self.run_program([path])
        self.assertEqual(second.stderr.count("done before, unchanged"), 4, second.stderr)
        self.assertEqual(os.stat(f"{self.root}/again/02-sft/metrics.jsonl").st_mtime_ns, before)
        third = self.run_program([path, "sft.learning_rate=2e-2"])
        self.assertEqual(third.returncode, 0, third.stderr)
        self.assertEqual(third.stderr.count("done before, unchanged"), 1, third.stderr)

    def test_a_killed_run_goes_on_with_bit_equal_losses(self):
        self.assertEqual(self.run_program([self.recipe("whole")], 2).returncode, 0)
        path = self.recipe("killed")
        metrics = f"{self.root}/killed/02-sft/metrics.jsonl"
        rng = random.Random(3)
        for _ in range(3):
            process = subprocess.Popen(self.command([path], 2), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True,
                                       env=dict(os.environ, OMP_NUM_THREADS="1"))
            deadline = time.time() + 60
            wanted = rng.randint(1, 8)
            while time.time() < deadline and process.poll() is None:
                if count_lines(metrics) >= wanted:
                    break
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            subprocess.run(["pkill", "-9", "-f", path], check=False)
            time.sleep(0.5)
        result = self.run_program([path], 2)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.losses("killed"), self.losses("whole"))

    def test_a_stop_request_saves_and_exits_75(self):
        path = self.recipe("stopped", RECIPE.replace("max_steps: 10", "max_steps: 5000").replace(
            "save_steps: 2", "save_steps: 0"))
        process = subprocess.Popen(self.command([path]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        metrics = f"{self.root}/stopped/02-sft/metrics.jsonl"
        deadline = time.time() + 60
        while time.time() < deadline and not (os.path.exists(metrics) and os.path.getsize(metrics) > 0):
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75, errors)
        self.assertIn("checkpoint saved", errors)
        self.assertTrue(os.path.exists(f"{self.root}/stopped/02-sft/checkpoints/LATEST"))

    def expect_failure(self, text, code, *words, arguments=(), ranks=1):
        name = f"bad{abs(hash((text, arguments))) % 10**8}"
        result = self.run_program([self.recipe(name, text), *arguments], ranks)
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertFalse(os.path.exists(f"{self.root}/{name}/02-sft/DONE"))

    def test_bad_input_has_one_line_and_its_exit_code(self):
        self.expect_failure(RECIPE.replace("learning_rate", "learnig_rate"), 78, "did you mean", "learning_rate")
        self.expect_failure(RECIPE.replace("{root}/model", "{root}/nothing"), 66, "nothing")
        self.expect_failure(RECIPE, 66, "absent", arguments=("build_data.sources.0.data=/absent",))
        self.expect_failure(RECIPE, 78, "sft.max_steps", arguments=("sft.max_steps=many",))
        broken = f"{self.root}/broken_enes.json"
        records = json.loads(json.dumps(self.records))
        records[3]["es"]["alt"] = None
        with open(broken, "w") as file:
            json.dump(records, file)
        text = RECIPE.replace("edits_enes", "broken_enes")
        self.expect_failure(text, 65, "row 3", "es.alt", "non-empty string", "null")
        self.expect_failure(text, 65, "row 3", ranks=3)

    def test_a_usage_error_is_64(self):
        self.assertEqual(self.run_program(["--no-such-option"]).returncode, 64)
        self.assertEqual(self.run_program(["--help"]).returncode, 0)
        self.assertIn("xkde_dist", self.run_program(["--version"]).stdout)
        self.assertIn("libtorch", self.run_program(["env"]).stdout)

    def test_a_diverging_run_exits_80(self):
        self.expect_failure(RECIPE.replace("learning_rate: 1.0e-2", "learning_rate: 1.0e+30"), 80, "finite")


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
