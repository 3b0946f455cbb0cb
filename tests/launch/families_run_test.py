#!/usr/bin/env python3
"""Every family through every stage: a tiny random model of each is trained, sampled, trained on preferences, scored and
exported, on one rank and on two, with prompts longer than its windows.

usage: families_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import struct
import sys
import unittest

from preference_run_test import RECIPE
from tiny_run import VOCABULARY, TinyRunTest, write_folder

WIDTH, INNER, HEADS, KV, HEAD = 24, 40, 3, 1, 8
COMMON = dict(vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_attention_heads=HEADS,
              num_key_value_heads=KV, head_dim=HEAD, max_position_embeddings=2048, rms_norm_eps=1e-5,
              tie_word_embeddings=True, eos_token_id=257, bos_token_id=256, pad_token_id=0)
GEMMA = dict(hidden_activation="gelu_pytorch_tanh", sliding_window=24, query_pre_attn_scalar=8)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=512)
CONFIGS = {
    "qwen3": dict(model_type="qwen3", num_hidden_layers=2, rope_theta=1e6, rope_scaling=YARN),
    "mistral": dict(model_type="mistral", num_hidden_layers=2, sliding_window=24, rope_theta=1e4),
    "gemma2": dict(model_type="gemma2", num_hidden_layers=2, attn_logit_softcapping=2.0,
                   final_logit_softcapping=3.0, **GEMMA),
    "gemma3": dict(model_type="gemma3_text", num_hidden_layers=3, sliding_window_pattern=3, rope_theta=1e5,
                   rope_local_base_freq=1e3, **GEMMA),
    "phi3": dict(model_type="phi3", num_hidden_layers=2, sliding_window=24, partial_rotary_factor=0.5),
}
EXPORT = "  - export: {{path: {out}/hf, dtype: float32}}\n"
GGUF = "  - export: {{path: {out}/gguf, format: gguf, gguf_type: F32}}\n"
IN_GGUF = ("qwen3", "gemma2", "phi3")  # whose config GGUF keys say


def shapes_of(config):
    width, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads, kv, head = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    shapes = {"model.embed_tokens.weight": [vocabulary, width], "model.norm.weight": [width]}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        norms = ["input_layernorm", "post_attention_layernorm"]
        if config["model_type"].startswith("gemma"):
            norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
        shapes |= {f"{prefix}{norm}.weight": [width] for norm in norms}
        if config["model_type"] in ("qwen3", "gemma3_text"):
            shapes |= {f"{prefix}self_attn.{norm}.weight": [head] for norm in ("q_norm", "k_norm")}
        attention = {"q_proj": heads, "k_proj": kv, "v_proj": kv}
        mlp = {"gate_proj": inner, "up_proj": inner}
        if config["model_type"] == "phi3":
            attention, mlp = {"qkv_proj": heads + 2 * kv}, {"gate_up_proj": 2 * inner}
        shapes |= {f"{prefix}self_attn.{name}.weight": [count * head, width] for name, count in attention.items()}
        shapes |= {f"{prefix}mlp.{name}.weight": [rows, width] for name, rows in mlp.items()}
        shapes |= {prefix + "self_attn.o_proj.weight": [width, heads * head],
                   prefix + "mlp.down_proj.weight": [width, inner]}
    return shapes


def write_family(folder, config):
    write_folder(folder, config, shapes_of(config), 0.0 if config["model_type"].startswith("gemma") else 1.0)


def tensors_of(path):
    """Names and shapes in a safetensors file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def answer_of(line):
    """Which question a line of predictions.jsonl is about, and what the model says to it."""
    return {key: line[key] for key in ("record", "metric", "probe", "prompt", "predicted_ids")}


class FamiliesRun(TinyRunTest):
    def check_family(self, name):
        config = COMMON | CONFIGS[name]
        write_family(f"{self.root}/{name}", config)
        text = RECIPE.replace("{root}/model", "{root}/" + name) + EXPORT
        if name in IN_GGUF:
            text += GGUF
        else:
            refused = self.run_program([self.recipe(f"{name}_refused", text + GGUF)])
            self.assertEqual(refused.returncode, 78, refused.stderr)
            self.assertIn("GGUF export: expected ", refused.stderr)
            self.assertFalse(os.path.exists(f"{self.root}/{name}_refused/01-build_data/DONE"))
        for ranks in (1, 2):
            result = self.run_program([self.recipe(f"{name}_{ranks}", text)], ranks)
            self.assertEqual(result.returncode, 0, result.stderr)
        losses = self.losses(f"{name}_1")
        self.assertLess(losses[-1], losses[0])
        for got, expected in zip(self.losses(f"{name}_2"), losses, strict=True):
            self.assertAlmostEqual(got, expected, delta=1e-5)
        for file in ("03-sample/samples.jsonl", "04-rank/pairs.jsonl", "06-evaluate/predictions.jsonl"):
            self.assertEqual(self.text_of(f"{name}_2", file), self.text_of(f"{name}_1", file), file)
        self.assertEqual(tensors_of(f"{self.root}/{name}_1/hf/model.safetensors"), shapes_of(config))
        self.assert_exported_model_opens(name, "hf")
        if name in IN_GGUF:
            self.assert_exported_model_opens(name, "gguf/model.gguf")

    def assert_exported_model_opens(self, name, exported):
        """What was exported is evaluated as what was trained."""
        stage = RECIPE[RECIPE.index("  - evaluate:"):]
        head = RECIPE[:RECIPE.index("stages:")].replace("{root}/model", "{root}/" + name + "_1/" + exported)
        text = head + "stages:\n" + stage
        again_in = f"{name}_{exported[:2]}_again"
        result = self.run_program([self.recipe(again_in, text)])
        self.assertEqual(result.returncode, 0, result.stderr)
        again = self.lines(again_in, "01-evaluate/predictions.jsonl")
        trained = self.lines(f"{name}_1", "06-evaluate/predictions.jsonl")
        # Locality is held against the model before its training: there it is this one.
        self.assertEqual([answer_of(line) for line in again], [answer_of(line) for line in trained])

    def test_qwen3(self):
        self.check_family("qwen3")

    def test_mistral(self):
        self.check_family("mistral")

    def test_gemma2(self):
        self.check_family("gemma2")

    def test_gemma3(self):
        self.check_family("gemma3")

    def test_phi3(self):
        self.check_family("phi3")


if __name__ == "__main__":
    FamiliesRun.binary = sys.argv.pop(1)
    unittest.main()
