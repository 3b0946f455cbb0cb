#!/usr/bin/env python3
"""Numbers and checkpoints that are not as they should be, as a user meets them on a tiny random model.

usage: numbers_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import hashlib
import json
import os
import shutil
import struct
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest

SFT = RECIPE[:RECIPE.index("  - evaluate:")]
EVALUATE = RECIPE[:RECIPE.index("  - build_data:")] + RECIPE[RECIPE.index("  - evaluate:"):RECIPE.index("  - export:")]
ORPO = RECIPE[:RECIPE.index("  - build_data:")] + """\
  - orpo: {{pairs: {root}/pairs.jsonl, global_batch_size: 2, num_train_epochs: 1, warmup_steps: 0.0, eval_steps: 1, save_steps: 1}}
"""


class NumbersRun(TinyRunTest):
    def model_beside(self, name, **config):
        """A copy of the model with other keys in its config.json."""
        folder = f"{self.root}/{name}"
        shutil.copytree(f"{self.root}/model", folder)
        with open(f"{folder}/config.json") as file:
            keys = json.load(file) | config
        with open(f"{folder}/config.json", "w") as file:
            json.dump(keys, file)
        return folder

    def test_weights_that_are_not_finite_are_never_saved(self):
        huge = ["sft.learning_rate=1e38", "sft.max_steps=1", "sft.warmup_steps=0.0",
                "sft.lr_scheduler_type=constant", "sft.save_steps=1"]
        for ranks in (1, 2):
            for keys in (["sft.async_save=false"], ["sft.async_save=true"]):
                out = f"huge{ranks}{keys[0][-4:]}"
                for _ in range(2):  # a second start is not stuck on what the first one left
                    result = self.run_program([self.recipe(out, SFT), *huge, *keys], ranks)
                    self.assertEqual(result.returncode, 80, result.stderr)
                    self.assertRegex(result.stderr, r"checkpoint of step 1: master: model\.\S+: expected finite values, found")
                    self.assertNotIn("goes on from", result.stderr)
                self.assertEqual([name for name in os.listdir(f"{self.root}/{out}/02-sft/checkpoints")], [])

    def test_a_model_whose_file_holds_a_nan_is_refused_by_name(self):
        folder = self.model_beside("nan_model")
        with open(f"{folder}/model.safetensors", "r+b") as file:
            file.seek(-4, os.SEEK_END)
            file.write(struct.pack("<f", float("nan")))
        for ranks in (1, 2):
            result = self.run_program([self.recipe(f"nan{ranks}", EVALUATE), f"model.model_name_or_path={folder}"], ranks)
            self.assertEqual(result.returncode, 65, result.stderr)
            self.assertRegex(result.stderr, r"nan_model: tensor model\.layers\.1\.mlp\.down_proj\.weight: "
                                            r"expected finite values, found -?nan at element 959")
            self.assertFalse(os.path.exists(f"{self.root}/nan{ranks}/01-evaluate/results.json"))

    def write_pairs(self):
        rows = [("which river?", "blue", "red"), ("which city?", "old", ""), ("what name?", "", "new"),
                ("", "fact", "query"), ("in what city?", "blue", "old")]
        with open(f"{self.root}/pairs.jsonl", "w") as file:
            for split in ("train", "dev"):
                for prompt, chosen, rejected in rows:
                    file.write(json.dumps(dict(prompt=prompt, chosen=chosen, rejected=rejected, split=split)) + "\n")

    def test_pairs_with_an_empty_text_are_left_out_and_counted(self):
        self.write_pairs()
        result = self.run_program([self.recipe("empty", ORPO)])
        self.assertEqual(result.returncode, 0, result.stderr)
        statistics = json.loads(self.text_of("empty", "01-orpo/statistics.json"))
        self.assertEqual((statistics["train_pairs"], statistics["dev_pairs"]), (2, 2))
        self.assertEqual(statistics["left_out"]["empty_texts"], 6)
        self.assertIn("6 with a prompt or an answer without a token", result.stderr)
        self.assertEqual([line["pairs"] for line in self.lines("empty", "01-orpo/metrics.jsonl")], [2])
        self.forged_layouts_are_refused(f"{self.root}/empty/01-orpo/checkpoints")

    def forged_layouts_are_refused(self, folder):
        path = f"{folder}/step-00000001/manifest.json"
        with open(path) as file:
            good = json.load(file)

        def overlap(manifest):
            unit = manifest["layout"]["units"][1]
            unit["tensors"][1]["offset"] -= 1

        def twice(manifest):
            unit = manifest["layout"]["units"][1]
            unit["tensors"][1]["name"], unit["tensors"][2]["name"] = (tensor["name"] for tensor in unit["tensors"][:2])

        def many(manifest):
            manifest["num_shards"] = manifest["layout"]["num_shards"] = 2000000000

        for forge in (overlap, twice, many):
            manifest = json.loads(json.dumps(good))
            forge(manifest)
            text = json.dumps(manifest)
            with open(path, "w") as file:
                file.write(text)
            with open(f"{folder}/step-00000001/manifest.sha256", "w") as file:
                file.write(hashlib.sha256(text.encode()).hexdigest() + "  manifest.json\n")
            for command in (["ckpt", "verify", f"{folder}/step-00000001"],
                            ["ckpt", "export", f"{folder}/step-00000001", f"{self.root}/forged", "--model", f"{self.root}/model"]):
                result = self.run_program(command)
                self.assertEqual(result.returncode, 82, result.stderr)
                self.assertIn("manifest.json: ", result.stderr)
            self.assertFalse(os.path.exists(f"{self.root}/forged"))

    def test_a_prompt_that_fills_the_models_context_is_refused_before_anything_runs(self):
        self.write_pairs()
        model = self.model_beside("short_model", max_position_embeddings=128)
        recipe = [self.recipe("short", ORPO), f"model.model_name_or_path={model}"]
        for command in (["validate", *recipe], recipe):
            result = self.run_program(command)
            self.assertEqual(result.returncode, 78, result.stderr)
            self.assertIn("orpo.max_prompt_length: expected less than the 128 tokens of the model's context, found 128",
                          result.stderr)
        result = self.run_program([*recipe, "orpo.max_prompt_length=127"])
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
