"""A run of the program on a tiny random model, as the tests of this folder share it.

Needs python3 and mpirun only.
"""

import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

from watching import PATIENCE, count_lines, kill_family

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


VOCABULARY = 258


def write_model(folder, layers=2, inner=40, heads=3):
    """A Hugging Face folder: Llama, 258 tokens (bytes and two turn marks)."""
    kv, head = 1, 8
    width = heads * head
    config = dict(model_type="llama", vocab_size=VOCABULARY, hidden_size=width, intermediate_size=inner,
                  num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv, head_dim=head,
                  max_position_embeddings=2048, rms_norm_eps=1e-5, tie_word_embeddings=True, hidden_act="silu",
                  rope_theta=10000.0, eos_token_id=257, bos_token_id=256)
    shapes = {"model.embed_tokens.weight": [VOCABULARY, width], "model.norm.weight": [width]}
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
    write_folder(folder, config, shapes)


def write_folder(folder, config, shapes, norm=1.0):
    """config.json, a tokenizer of bytes and two turn marks, random weights; those of norms are `norm`."""
    os.makedirs(folder)
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
    rng = random.Random(5)
    header, data = {}, b""
    for name, shape in shapes.items():
        count = 1
        for extent in shape:
            count *= extent
        different = min(count, 1 << 16)  # of a larger matrix, again and again
        values = [norm] * count if "norm" in name else [rng.gauss(0, 0.08) for _ in range(different)]
        begin = len(data)
        data += (struct.pack(f"<{len(values)}f", *values) * -(-count // len(values)))[:4 * count]
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


class TinyRunTest(unittest.TestCase):
    """A temporary folder `root` with a model and edits; runs write below it."""

    binary = None  # the program, to be set before the tests run

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="xkde_tiny_run_")
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
            return [self.binary, *arguments]
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        return ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), self.binary, *arguments]

    def environment(self):
        """MPI's own files go below `root`: a killed job does not remove them."""
        return dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_orte_tmpdir_base=f"{self.root}/mpi",
                    OMPI_MCA_btl_vader_backing_directory=self.root)

    def run_program(self, arguments, ranks=1):
        return subprocess.run(self.command(arguments, ranks), capture_output=True, text=True, timeout=PATIENCE,
                              env=self.environment())

    def checked(self, arguments, ranks=1):
        """A run that has to end well."""
        result = self.run_program(arguments, ranks)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def lines(self, out, name):
        with open(f"{self.root}/{out}/{name}") as file:
            return [json.loads(line) for line in file]

    def text_of(self, out, name):
        with open(f"{self.root}/{out}/{name}", "rb") as file:
            return file.read()

    def losses(self, out):
        return [line["loss"] for line in self.lines(out, "02-sft/metrics.jsonl")]

    def steps(self, out):
        """Steps of a training that may be under way."""
        return count_lines(f"{self.root}/{out}/02-sft/metrics.jsonl")

    def start(self, arguments, ranks=1, **options):
        """The program in the background, its output thrown away. It does not outlive its test."""
        outputs = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process = subprocess.Popen(self.command(arguments, ranks), env=self.environment(), text=True,
                                   **(outputs | options))
        self.addCleanup(kill_family, process)
        return process
