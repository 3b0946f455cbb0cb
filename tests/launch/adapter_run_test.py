#!/usr/bin/env python3
"""Adapters in whole runs: training, going on, checkpoints, merging, PEFT folders.

usage: adapter_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import shutil
import struct
import sys
import unittest

from tiny_run import TinyRunTest, write_model
from watching import kill_when, names_in

HEAD = """\
output_dir: {out}
logging_steps: 1000
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
"""
DATA = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:12"}}
"""
LORA = "lora: {{r: 4, alpha: 16, dropout: 0.1}}"
SFT = "  - sft: {{global_batch_size: 5, max_steps: 12, learning_rate: 1.0e-2, save_steps: 4, " + LORA + "}}\n"
ASK = """\
  - evaluate:
      benchmark: mzsre
      data: {root}/edits_enes.json
      edit_languages: [en]
      test_languages: [es]
      records: "12:20"
"""
EDIT = """\
  - edit: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], records: "0:3", method: ft_m,
            editor: {{steps: 5, learning_rate: 2.0e-2}}}}
"""
EXPORT = "  - export: {{path: {out}/hf, dtype: float32, adapter: {out}/peft}}\n"
MODEL_EXPORT = EXPORT.replace(", adapter: {out}/peft", "")
WHOLE = HEAD + DATA + SFT + ASK + EXPORT


def tensors_of(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    header.pop("__metadata__", None)
    return header


class AdapterRun(TinyRunTest):
    def run_well(self, out, text=WHOLE, ranks=1):
        result = self.run_program([self.recipe(out, text)], ranks)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def refused(self, out, text, code, *parts):
        result = self.run_program([self.recipe(out, text)])
        self.assertEqual(result.returncode, code, result.stderr)
        for part in parts:
            self.assertIn(part, result.stderr)

    def predictions(self, out, stage):
        with open(f"{self.root}/{out}/{stage}/predictions.jsonl") as file:
            return [json.loads(line)["predicted_ids"] for line in file]

    def setUp(self):
        if not os.path.isdir(f"{self.root}/whole"):
            self.run_well("whole")

    def test_it_learns_and_keeps_the_adapter_alone(self):
        losses = self.losses("whole")
        self.assertLess(losses[-1], losses[0])
        folder = [name for name in names_in(f"{self.root}/whole/02-sft/checkpoints") if name.startswith("step-")][-1]
        with open(f"{self.root}/whole/02-sft/checkpoints/{folder}/manifest.json") as file:
            units = json.load(file)["layout"]["units"]
        names = [tensor["name"] for unit in units for tensor in unit["tensors"]]
        self.assertEqual(len(names), 2 * 7 * 2)
        self.assertTrue(all(".lora_" in name for name in names), names)

    def test_losses_do_not_depend_on_ranks_and_modes(self):
        alone = self.losses("whole")
        for mode in ("full", "grads", "optimizer", "none"):
            text = WHOLE.replace("threads: 1", f"threads: 1, shard: {mode}")
            self.run_well(f"ranks_{mode}", text, 2)
            for got, expected in zip(self.losses(f"ranks_{mode}"), alone, strict=True):
                self.assertAlmostEqual(got, expected, delta=1e-4)

    def test_a_killed_run_goes_on_bit_for_bit(self):
        self.run_well("two", WHOLE, 2)
        path = self.recipe("killed", WHOLE)
        process = self.start([path], 2)
        self.assertTrue(kill_when(process, lambda: self.steps("killed") >= 6))
        self.run_well("killed", WHOLE, 2)
        self.assertEqual(self.losses("killed"), self.losses("two"))
        for file in ("hf/model.safetensors", "peft/adapter_model.safetensors"):
            with open(f"{self.root}/two/{file}", "rb") as one, open(f"{self.root}/killed/{file}", "rb") as other:
                self.assertEqual(one.read(), other.read(), file)

    def test_the_merged_model_and_the_peft_folder_answer_as_the_run_did(self):
        expected = self.predictions("whole", "03-evaluate")
        shutil.copytree(f"{self.root}/whole/hf", f"{self.root}/merged_model", dirs_exist_ok=True)
        self.run_well("merged", (HEAD + ASK).replace("{root}/model", "{root}/merged_model"))
        self.assertEqual(self.predictions("merged", "01-evaluate"), expected)
        shutil.copytree(f"{self.root}/whole/peft", f"{self.root}/adapter", dirs_exist_ok=True)
        text = (HEAD + ASK + EXPORT).replace("{root}/model,", "{root}/model, adapter: {root}/adapter,")
        self.run_well("peft", text, 2)
        self.assertEqual(self.predictions("peft", "01-evaluate"), expected)
        for file in ("hf/model.safetensors", "peft/adapter_model.safetensors"):
            with open(f"{self.root}/whole/{file}", "rb") as one, open(f"{self.root}/peft/{file}", "rb") as other:
                self.assertEqual(one.read(), other.read(), file)
        names = tensors_of(f"{self.root}/whole/peft/adapter_model.safetensors")
        self.assertEqual(names["base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"]["shape"], [4, 40])

    def test_training_goes_on_with_an_adapter_that_must_fit(self):
        shutil.copytree(f"{self.root}/whole/peft", f"{self.root}/adapter", dirs_exist_ok=True)
        text = WHOLE.replace("{root}/model,", "{root}/model, adapter: {root}/adapter,")
        self.run_well("on", text)
        self.assertLess(self.losses("on")[0], self.losses("whole")[0])
        self.refused("other", text.replace("r: 4", "r: 8"), 78, "sft.lora: expected r 4, alpha 16",
                     "as the adapter that the model has, found r 8")
        self.refused("none", text.replace("{root}/adapter", "{root}/model"), 66, "expected a PEFT adapter")

    def test_all_weights_are_trained_after_an_adapter_and_before_one(self):
        full = SFT.replace(", " + LORA, "")
        export = MODEL_EXPORT
        self.run_well("after", HEAD + DATA + SFT + full + ASK + export)
        self.assertLess(self.losses("after", "03-sft")[0], self.losses("after", "02-sft")[0])
        again = self.run_program([self.recipe("after", HEAD + DATA + SFT + full + ASK + export)])
        self.assertEqual(again.returncode, 0, again.stderr)
        self.run_well("before", HEAD + DATA + full + SFT + ASK + export)
        self.assertLess(self.losses("before", "03-sft")[0], self.losses("before", "02-sft")[0])
        self.refused("based", HEAD + DATA + full + SFT + EXPORT, 78, "export.adapter: expected an adapter of the model's files")
        self.refused("without", HEAD + DATA + full + EXPORT, 78, "export.adapter: expected a model with an adapter")

    def same_bytes(self, one, other):
        with open(f"{self.root}/{one}", "rb") as first, open(f"{self.root}/{other}", "rb") as second:
            self.assertEqual(first.read(), second.read(), other)

    def test_edits_are_written_into_weights_with_the_adapter_merged_in(self):
        one_by_one = ASK + "      method: ft_m\n      editor: {{steps: 5, learning_rate: 2.0e-2}}\n"
        text = HEAD + DATA + SFT + EDIT + ASK + MODEL_EXPORT
        self.run_well("edited", text)
        shutil.copytree(f"{self.root}/whole/hf", f"{self.root}/merged_model", dirs_exist_ok=True)
        self.run_well("stepwise", (HEAD + EDIT + ASK + MODEL_EXPORT).replace("{root}/model", "{root}/merged_model"))
        self.run_well("singles", HEAD + DATA + SFT + one_by_one)
        self.run_well("merged_singles", (HEAD + one_by_one).replace("{root}/model", "{root}/merged_model"))
        self.assertEqual(self.predictions("singles", "03-evaluate"), self.predictions("merged_singles", "01-evaluate"))
        self.same_bytes("edited/hf/model.safetensors", "stepwise/hf/model.safetensors")
        self.assertEqual(self.predictions("edited", "04-evaluate"), self.predictions("stepwise", "02-evaluate"))
        self.assertNotEqual(self.predictions("edited", "04-evaluate"), self.predictions("whole", "03-evaluate"))
        shutil.copytree(f"{self.root}/whole/peft", f"{self.root}/adapter", dirs_exist_ok=True)
        of_file = (HEAD + EDIT + ASK + MODEL_EXPORT).replace("{root}/model,", "{root}/model, adapter: {root}/adapter,")
        self.run_well("edited_peft", of_file, 2)
        self.same_bytes("edited/hf/model.safetensors", "edited_peft/hf/model.safetensors")
        # What a later start takes up, a new adapter of another rank on top, and the first adapter back again.
        on = SFT.replace("r: 4", "r: 2")
        self.run_well("edited", text + on + ASK)
        self.assertLess(self.losses("edited", "06-sft")[-1], self.losses("edited", "06-sft")[0])
        self.run_well("reverted", HEAD + DATA + SFT + EDIT + "  - edit: {{revert: true}}\n" + ASK)
        self.assertEqual(self.predictions("reverted", "05-evaluate"), self.predictions("whole", "03-evaluate"))
        self.refused("edited_export", HEAD + DATA + SFT + EDIT + EXPORT, 78, "export.adapter: expected a model with an adapter")

    def test_a_checkpoint_of_an_adapter_is_not_exported_as_weights(self):
        root = f"{self.root}/whole/02-sft/checkpoints"
        for kind in ([], ["--gguf", "F32"]):
            result = self.run_program(["ckpt", "export", root, f"{self.root}/x", "--model", f"{self.root}/model", *kind])
            self.assertEqual(result.returncode, 78, result.stderr)
            self.assertIn("expected a checkpoint of all weights, found one of an adapter", result.stderr)

    def losses(self, out, stage="02-sft"):
        with open(f"{self.root}/{out}/{stage}/metrics.jsonl") as file:
            return [json.loads(line)["loss"] for line in file]

    def test_quantized_weights_are_trained_over_as_the_dequantized_ones(self):
        write_model(f"{self.root}/wide", inner=64, heads=4)
        plain = WHOLE.replace("{root}/model", "{root}/wide")
        text = plain.replace("r: 4,", "r: 4, base: q8_0,")
        for form in (text, text.replace("dtype: float32, adapter", "format: gguf, adapter")):
            self.refused("merge", form, 78, "export.path: expected merge_into beside this key, as sft.lora.base is q8_0")
        into = text.replace("{out}/hf,", "{out}/hf, merge_into: dequantized,")
        self.run_well("q8", into)
        self.run_well("q8_two", into.replace("threads: 1", "threads: 1, shard: full"), 2)
        for got, expected in zip(self.losses("q8_two"), self.losses("q8"), strict=True):
            self.assertAlmostEqual(got, expected, delta=1e-4)
        self.assertLess(self.losses("q8")[-1], self.losses("q8")[0])
        # Without training, merging gives the dequantized weights: training over those is the same, bit for bit.
        still = into.replace("max_steps: 12", "max_steps: 0")
        self.run_well("still", still)
        shutil.copytree(f"{self.root}/still/hf", f"{self.root}/decoded", dirs_exist_ok=True)
        self.run_well("over", plain.replace("{root}/wide", "{root}/decoded"))
        self.assertEqual(self.losses("over"), self.losses("q8"))
        self.assertEqual(self.predictions("over", "03-evaluate"), self.predictions("q8", "03-evaluate"))
        self.run_well("full", into.replace("dequantized", "full_precision"))
        with open(f"{self.root}/q8/hf/model.safetensors", "rb") as one, \
                open(f"{self.root}/full/hf/model.safetensors", "rb") as other:
            self.assertNotEqual(one.read(), other.read())

    def test_a_base_that_cannot_be_held_is_refused(self):
        text = WHOLE.replace("r: 4,", "r: 4, base: as_stored,").replace("path: {out}/hf, dtype: float32, ", "")
        self.refused("stored", text, 78, "lora.base: expected a model whose file has quantized weights, found none")
        result = self.run_program(["validate", self.recipe("stored", text)])
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("sft.lora.base", result.stderr)
        text = text.replace("as_stored", "q8_0")
        self.refused("narrow", text, 78, "lora.base: expected rows of a multiple of 32 weights, found none")
        twice = HEAD + DATA + SFT.replace("r: 4,", "r: 4, base: q8_0,") + SFT
        self.refused("twice", twice, 78, "expected lora with base: q8_0, as sft has it above, found base: dtype")
        after = HEAD + DATA + SFT.replace("r: 4,", "r: 4, base: q8_0,") + SFT.replace(", " + LORA, "")
        self.refused("after_full", after, 78, "expected lora with base: q8_0, as sft has it above, found no lora")

    def test_validate_and_estimate_know_adapters(self):
        bad = WHOLE.replace("dropout: 0.1", "target_modules: [q_proj, c_attn]")
        result = self.run_program(["validate", self.recipe("bad", bad)])
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("sft.lora.target_modules: target_modules: expected all-linear or some of q_proj", result.stderr)
        self.refused("bad", bad, 78, "found c_attn")
        result = self.run_program(["estimate", self.recipe("good", WHOLE), "-n", "2"])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("in the adapter that is trained", result.stdout)
        self.assertIn("frozen weights", result.stdout)


if __name__ == "__main__":
    AdapterRun.binary = sys.argv.pop(1)
    unittest.main()
