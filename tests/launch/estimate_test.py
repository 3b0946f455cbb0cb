"""`estimate` against runs: a rank's memory on the real small model, and what it refuses.

usage: estimate_test.py XKDE_DIST SOURCE_DIR MODEL.gguf; needs python3 and mpirun only.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import families_run_test as families
from watching import PATIENCE

BINARY, SOURCE, MODEL = map(os.path.abspath, sys.argv[1:4])
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")
DATA = f"""
stages:
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {SOURCE}/recipes/data/train, edit_languages: [en], test_languages: [es, fr]}}
"""
HEAD = f"""
output_dir: runs/estimate_test
model: {{model_name_or_path: {MODEL}, dtype: bfloat16}}
"""
SFT = "  - sft: {global_batch_size: 8, max_steps: 2, save_steps: 1}\n"
RECIPE = HEAD + DATA + SFT
# Until the largest pack has come, and code is kept for as many shapes of products as ever is.
LONGER = ["sft.max_steps=4", "sft.save_steps=2"]
EVALUATE = f"""  - evaluate:
      benchmark: mzsre
      data: {SOURCE}/recipes/data/test/invented_enes.json
      edit_languages: [en]
      test_languages: [es]
      records: "0:16"
      bootstrap_resamples: 0
"""
SIZES = dict(hidden_size=512, intermediate_size=2048, num_attention_heads=8, num_key_value_heads=2, head_dim=64,
             num_hidden_layers=6, query_pre_attn_scalar=64)


def run(command, folder):
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)


class EstimateTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xkde_estimate_test_")
        self.addCleanup(shutil.rmtree, self.folder)  # checkpoints of a real model
        self.write(RECIPE)

    def write(self, text):
        with open(f"{self.folder}/recipe.yaml", "w") as file:
            file.write(text)

    def estimate(self, *arguments):
        return run([BINARY, "estimate", "recipe.yaml", *arguments], self.folder)

    def check_peak(self, ranks, *overrides):
        """A rank's peak is within a tenth of the estimate."""
        estimate = self.estimate("-n", str(ranks), *overrides)
        self.assertEqual(estimate.returncode, 0, estimate.stderr)
        predicted = float(re.search(r"memory +([\d.]+) GB", estimate.stdout).group(1))
        out = tempfile.mkdtemp(dir=self.folder)
        done = run(["mpirun", "-n", str(ranks), "--bind-to", "none", "--oversubscribe", BINARY, "recipe.yaml",
                    f"output_dir={out}/run", *overrides], self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(f"{out}/run/02-sft/metrics.jsonl") as file:
            last = json.loads(file.readlines()[-1])
        shutil.rmtree(out)
        measured = (last["peak_bytes"] - last["baseline_bytes"]) / 1e9
        self.assertLess(abs(predicted / measured - 1), 0.1, f"predicted {predicted} GB, measured {measured} GB")

    def check_asking(self, stages, *overrides, stage="01-evaluate"):
        """A rank's peak in an evaluation is within a tenth of the estimate."""
        self.write(HEAD.replace("bfloat16", "float32") + "stages:\n" + stages)
        estimate = self.estimate(*overrides)
        self.assertEqual(estimate.returncode, 0, estimate.stderr)
        predicted = float(re.search(f"asking +{stage}: ([\\d.]+) GB", estimate.stdout).group(1))
        out = tempfile.mkdtemp(dir=self.folder)
        done = run([BINARY, "recipe.yaml", f"output_dir={out}/run", *overrides], self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(f"{out}/run/{stage}/cost.json") as file:
            cost = json.load(file)
        measured = (cost["peak_bytes"] - cost["baseline_bytes"]) / 1e9
        self.assertLess(abs(predicted / measured - 1), 0.1,
                        f"{stages}: predicted {predicted} GB, measured {measured:.3f} GB\n{estimate.stdout}")
        return estimate.stdout


class EstimateOfFamilies(EstimateTest):
    def test_a_peak_of_every_family_is_near_the_estimate(self):
        for name, config in families.CONFIGS.items():
            with self.subTest(family=name):
                families.write_family(f"{self.folder}/{name}", families.COMMON | config | SIZES)
                self.write(f"output_dir: runs/x\nmodel: {{model_name_or_path: {self.folder}/{name}, dtype: bfloat16, "
                           "chat_template: chatml_no_system}" + DATA + SFT)
                self.check_peak(1, *LONGER)
                shutil.rmtree(f"{self.folder}/{name}")


@unittest.skipUnless(os.path.exists(MODEL), f"{MODEL} is not there: ./launch/setup.sh fetches it")
class Estimate(EstimateTest):
    def test_a_ranks_peak_is_near_the_estimate(self):
        cases = ((1, ["model.dtype=float32"]),
                 (2, []),
                 (2, ["parallel.shard=full", "parallel.recompute=block", "model.dtype=float32"]),
                 (2, ["parallel.shard=none", "sft.token_tree=false", "sft.async_save=false"]))
        for ranks, overrides in cases:
            with self.subTest(ranks=ranks, overrides=overrides):
                self.check_peak(ranks, *overrides)

    def test_a_peak_of_adapters_and_of_moments_in_bytes_is_near_the_estimate(self):
        cases = ((1, "lora: {r: 16, alpha: 32}", LONGER),
                 (2, "lora: {r: 16, alpha: 32, base: as_stored}", ["parallel.shard=full", *LONGER]),
                 (1, "optim: adamw_8bit", ["parallel.shard=none"]))
        for ranks, keys, overrides in cases:
            with self.subTest(ranks=ranks, keys=keys):
                self.write(RECIPE.replace("save_steps: 1", f"save_steps: 1, {keys}"))
                self.check_peak(ranks, *overrides)

    def test_a_peak_of_an_evaluation_with_a_judge_is_near_the_estimate(self):
        judged = (EVALUATE + "      method: lte\n      free_answers: {contexts: [question], max_new_tokens: 4}\n"
                  f"      max_new_tokens: 4\n      judge: {{model_name_or_path: {MODEL}, dtype: float32}}\n")
        for overrides in (["evaluate.records=0:4"], ["evaluate.records=0:4", "model.dtype=bfloat16"]):
            with self.subTest(overrides=overrides):
                text = self.check_asking(judged, *overrides)
                self.assertRegex(text, r"judge +[\d.]+ GB when the model is freed")
        # Of a small model the judge is the peak.
        families.write_family(f"{self.folder}/small", families.COMMON | families.CONFIGS["qwen3"] | SIZES)
        text = self.check_asking(judged, f"model.model_name_or_path={self.folder}/small", "model.chat_template=plain")
        peaks = re.findall(r"(?:asking|judge) .*?([\d.]+) GB", text)
        self.assertEqual(peaks[0], peaks[1])

    def test_a_peak_of_an_evaluation_that_edits_is_near_the_estimate(self):
        few = "      editor: {steps: 3}\n"
        for method, keys in (("rome", few), ("ft_m", few), ("lora", few), ("ultraedit", ""),
                             ("ft_l", few + "      mode: batch\n      sizes: [4]\n")):
            with self.subTest(method=method):
                self.check_asking(EVALUATE + f"      method: {method}\n" + keys, "evaluate.records=0:4")

    def test_a_peak_of_an_evaluation_that_solves_with_moments_is_near_the_estimate(self):
        with open(f"{SOURCE}/recipes/data/train/invented_enes.json") as file, open(f"{self.folder}/text.txt", "w") as text:
            text.writelines(f"{side['src']} {side['alt']}. {side['rephrase']}\n" for row in json.load(file) for side in row.values())
        covariance = (f"  - covariance:\n      texts: [{{data: {self.folder}/text.txt, lang: en}}]\n"
                      "      layers: [4, 5, 6, 7, 8]\n")
        self.check_asking(covariance + EVALUATE + "      method: memit\n      mode: batch\n      sizes: [4]\n"
                          "      editor: {steps: 3}\n", "evaluate.records=0:4", stage="02-evaluate")

    def held(self, text, title, stage):
        """What an estimate says that the stage holds, by kind."""
        lines = text[re.search(f"^{title} +{stage}: ", text, re.MULTILINE).start():].split("\n")
        items = [re.fullmatch(r" {9}(.*?) +([\d.]+) GB", line) for line in lines[1:]]
        return {one.group(1): float(one.group(2)) for one in itertools.takewhile(bool, items)}

    def test_stages_that_edit_and_gather_moments_hold_what_an_evaluation_with_the_editor_does(self):
        keys = EVALUATE.split("evaluate:\n")[1].replace("      test_languages: [es]\n", "").replace("      bootstrap_resamples: 0\n", "")
        editor = "      method: memit\n      editor: {steps: 3, batch: 4}\n"
        stages = ("  - covariance: {texts: [{data: text.txt, lang: en}], layers: [4, 5, 6, 7, 8]}\n  - edit:\n" + keys + editor
                  + EVALUATE + editor + "      mode: sequential\n      sizes: [16]\n")
        with open(f"{self.folder}/text.txt", "w") as text:
            text.write("some words of a text\n")
        self.write(HEAD.replace("bfloat16", "float32") + "stages:\n" + stages)
        done = self.estimate()
        self.assertEqual(done.returncode, 0, done.stderr)
        edit, evaluation = self.held(done.stdout, "editing", "02-edit"), self.held(done.stdout, "asking", "03-evaluate")
        self.assertEqual([edit[kind] for kind in ("weights", "edits", "editor", "editing")],
                         [evaluation[kind] for kind in ("weights", "edits", "editor", "editing")])
        # Of five layers the sums since the last look and all sums, and five more while they are held against each other.
        self.assertAlmostEqual(self.held(done.stdout, "moments", "01-covariance")["moments"], 15 * 8 * 1536**2 / 1e9, 2)

    def test_refuses_an_evaluation_that_cannot_fit(self):
        self.write(HEAD + "stages:\n" + EVALUATE + "      max_tokens_per_batch: 100000000\n      method: none\n"
                   "      free_answers: {max_new_tokens: 100000000}\n")
        refused = self.estimate()
        self.assertEqual(refused.returncode, 78, refused.stdout)
        self.assertRegex(refused.stderr, r"evaluate: a rank needs \d+ bytes \([\d.]+ GB\), available are \d+ .*what would help: a smaller "
                                         r"evaluate\.max_tokens_per_batch")

    def test_says_what_a_run_will_do(self):
        text = self.estimate("-n", "2").stdout
        for part in ("134.5 million parameters in 32 units", "2 shards x 1 copies", "02-sft", "2 steps", "matrix products",
                     "checkpoint copy", "rates measured here"):
            self.assertIn(part, text)

    def test_asks_slurm_for_what_the_run_needs(self):
        here = self.estimate("-n", "2", "--slurm")
        self.assertRegex(here.stdout, r"\A# 2 ranks, here: shard \w+, recompute \w+\n#SBATCH --nodes=1\n#SBATCH --ntasks-per-node=2\n"
                                      r"#SBATCH --cpus-per-task=\d+\n#SBATCH --mem=\d+G\n#SBATCH --time=00:1\d:00\n\Z")
        gpus = self.estimate("-n", "16", "--machine", "h100", "--slurm")
        self.assertRegex(gpus.stdout, r"\A# 16 ranks, h100: .*\n#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=8\n"
                                      r"#SBATCH --gpus-per-node=8\n#SBATCH --mem=\d+G\n#SBATCH --time=00:11:00\n\Z")

    def test_the_run_decides_as_the_estimate_does(self):
        choice = re.search(r"plan +(shard \w+, recompute \w+)", self.estimate("-n", "2").stdout).group(1)
        done = run(["mpirun", "-n", "2", "--bind-to", "none", "--oversubscribe", BINARY, "recipe.yaml", "sft.max_steps=0"], self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"plan: {choice}", done.stderr)

    def test_refuses_what_cannot_fit_and_says_what_would_help(self):
        # All samples in one pack without shared prefixes: some 60 GB of activations for a card of 40.
        large = ["sft.global_batch_size=1000", "sft.max_tokens_per_pack=1000000", "sft.token_tree=false",
                 "model.dtype=float32", "--machine", "a100_40"]
        refused = self.estimate(*large, "parallel.recompute=none")
        self.assertEqual(refused.returncode, 78)
        self.assertRegex(refused.stderr, r"needs \d+ bytes .* available are \d+ .*what would help: parallel\.recompute=block")
        self.assertEqual(refused.stderr.count("\n"), 1)
        chosen = self.estimate(*large)
        self.assertEqual(chosen.returncode, 0, chosen.stderr)
        self.assertIn("recompute block (the fastest that fits", chosen.stdout)

    def test_bad_words(self):
        self.assertEqual(self.estimate("-n", "0").returncode, 64)
        unknown = self.estimate("--machine", "h1000")
        self.assertEqual(unknown.returncode, 64)
        self.assertIn("expected here, h100", unknown.stderr)
        odd = self.estimate("-n", "3", "parallel.replicate=2")
        self.assertEqual(odd.returncode, 78)
        self.assertIn("expected a divisor of the 3 ranks", odd.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
