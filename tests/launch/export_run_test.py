#!/usr/bin/env python3
"""What a run exports for other people: the model card, shards, and that a card of the user's stays.

usage: export_run_test.py XKDE_DIST_BINARY
Needs python3 only.
"""

import json
import os
import re
import sys
import unittest

from tiny_run import TinyRunTest

RECIPE = """\
run_name: carded
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - evaluate: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "16:"}}
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:4"}}
  - sft: {{global_batch_size: 4, max_steps: 3, learning_rate: 1.0e-2}}
  - evaluate: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "16:"}}
  - export: {{path: {out}/hf, dtype: float32}}
"""


class Export(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(f"{cls.root}/model/README.md", "w") as file:
            file.write("---\nlicense: apache-2.0\n---\n# Tiny\n")

    def card(self, folder):
        with open(f"{self.root}/{folder}/README.md", encoding="utf-8") as file:
            return file.read()

    def test_an_exported_folder_has_a_card(self):
        self.checked([self.recipe("carded", RECIPE)])
        card = self.card("carded/hf")
        self.assertTrue(card.startswith('---\nlicense: apache-2.0\nlanguage:\n- "en"\n- "es"\n'
                                        "library_name: transformers\npipeline_tag: text-generation\n"), card)
        with open(f"{self.root}/carded/02-build_data/train.json") as file:
            samples = len(json.load(file))
        self.assertIn(f"| 02-build_data | made training samples of parallel edits | {samples} samples", card)
        self.assertRegex(card, r"\| 03-sft \| XE-IT: .* \| 3 steps, 12 samples seen, loss [\d.]+ → [\d.]+, all weights \|")
        cells = []
        for stage in ("01-evaluate", "04-evaluate"):
            with open(f"{self.root}/carded/{stage}/results.json") as file:
                cells += [f"{row['value']:.2f}" for row in json.load(file) if row["metric"] == "reliability"]
        self.assertIn(f"| en → es | reliability | {' | '.join(cells)} |\n", card)
        with open(f"{self.root}/carded/run.json") as file:
            run = json.load(file)
        self.assertIn(f"xkde_dist {run['versions']['xkde_dist']} (commit {run['git_commit']})", card)
        recipe = re.search(r"```json\n(.*?)\n```", card, re.DOTALL)[1]
        told = json.loads(recipe)
        self.assertEqual([next(iter(stage)) for stage in told["stages"]], [next(iter(stage)) for stage in run["recipe"]["stages"]])
        self.assertEqual(told["model"]["model_name_or_path"], "model")
        self.assertNotIn(self.root, card)
        # The same run again tells the same.
        self.checked([f"{self.root}/carded.yaml", f"export.path={self.root}/again"])
        self.assertEqual(self.card("again"), card)

    def test_a_card_that_was_changed_stays(self):
        path = self.recipe("kept", RECIPE)
        self.checked([path])
        with open(f"{self.root}/kept/hf/README.md", "a") as file:
            file.write("My own words.\n")
        result = self.run_program([path, "export.dtype=bfloat16"])
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("README.md, which was changed after the export", result.stderr)
        self.assertTrue(self.card("kept/hf").endswith("My own words.\n"))

    def test_shards_have_at_most_the_size_asked_for(self):
        text = RECIPE.replace("dtype: float32}}\n", "dtype: float32, max_shard_size: 20KB}}\n")
        text = text[:text.index("  - evaluate")] + text[text.index("  - export"):]
        self.checked([self.recipe("shards", text)])
        folder = f"{self.root}/shards/hf"
        with open(f"{folder}/model.safetensors.index.json") as file:
            index = json.load(file)
        files = sorted(set(index["weight_map"].values()))
        self.assertGreater(len(files), 1)
        self.assertEqual(files, sorted(name for name in os.listdir(folder) if name.endswith(".safetensors")))
        sizes = []
        for name in files:
            with open(f"{folder}/{name}", "rb") as file:
                head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            tensors = [entry for key, entry in head.items() if key != "__metadata__"]
            sizes.append(max(entry["data_offsets"][1] for entry in tensors))
            self.assertTrue(sizes[-1] <= 20_000 or len(tensors) == 1, name)
        self.assertEqual(sum(sizes), index["metadata"]["total_size"])
        self.assertIn("Nothing: these are the weights of the base model.", self.card("shards/hf"))

    def test_a_gguf_file_has_a_card_beside_it(self):
        text = RECIPE[:RECIPE.index("  - evaluate")] + "  - export: {{path: {out}/hf, format: gguf, gguf_type: F32}}\n"
        self.checked([self.recipe("file", text)])
        card = self.card("file/hf")
        self.assertIn("- gguf\n---\n", card)
        self.assertIn("in F32, made of model (licence: apache-2.0)", card)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
