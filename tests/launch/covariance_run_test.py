#!/usr/bin/env python3
"""Second moments as a user meets them, on a tiny random model: ranks, SIGKILL, languages, imports, errors.

usage: covariance_run_test.py XKDE_DIST_BINARY COMPARE_MOMENTS_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import unittest
import zipfile

from tiny_run import WORDS, TinyRunTest, write_model
from watching import kill_when

RECIPE = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - covariance:
      texts:
        - {{data: {root}/text.txt, lang: de}}
        - {{data: {root}/other.txt, lang: en}}
      layers: [1, 0]
      modules: [down_proj, gate_up, qkv, o_proj]
      max_tokens: 20000
      context_length: 64
      max_tokens_per_batch: 256
"""
IMPORT = """\
run_name: tiny
output_dir: {out}
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
stages:
  - covariance:
      import: [{{data: {root}/stats.npz, layer: 1}}]
"""
EDIT = """\
run_name: tiny
output_dir: {out}
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
stages:
  - edit:
      benchmark: mzsre
      data: {root}/edits_enes.json
      edit_languages: [en]
      method: memit
      editor: {{layers: [1], context_templates: ["{{}}"], covariance: {root}/moments/01-covariance/covariance.h5}}
"""
STAGE = "01-covariance"
WIDTHS = dict(down_proj=40, gate_up=24, qkv=24, o_proj=24)
SUMS = 1e-12  # of fp64 sums in another order


def npy(type_name, shape, values):
    header = f"{{'descr': '{type_name}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


def write_statistics(path, width, count):
    """As others publish them: the sum of `count` times a matrix with 2 on the diagonal and 1 beside it."""
    rows = [count * (2.0 if i == j else 1.0) for i in range(width) for j in range(width)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mom2.count.npy", npy("<i8", "()", struct.pack("<q", count)))
        archive.writestr("mom2.mom2.npy", npy("<f4", (width, width), struct.pack(f"<{len(rows)}f", *rows)))


class CovarianceRun(TinyRunTest):
    compare = None  # the program that compares two files

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = random.Random(3)
        for name, lines in (("text", 400), ("other", 40)):
            with open(f"{cls.root}/{name}.txt", "w") as file:
                for _ in range(lines):
                    file.write(" ".join(rng.choice(WORDS) for _ in range(rng.randrange(3, 40))) + "\n")
        write_statistics(f"{cls.root}/stats.npz", 40, 7)

    def file_of(self, out):
        return f"{self.root}/{out}/{STAGE}/covariance.h5"

    def differences(self, one, other):
        result = subprocess.run([self.compare, self.file_of(one), self.file_of(other)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return {line["place"]: line for line in map(json.loads, result.stdout.splitlines())}

    def statistics(self, out):
        return json.loads(self.text_of(out, f"{STAGE}/statistics.json"))

    def assert_same(self, one, other):
        for place, line in self.differences(one, other).items():
            self.assertLess(line["difference"], SUMS, place)
            self.assertTrue(line["same_tokens"], place)
        a, b = self.statistics(one), self.statistics(other)
        for ours, theirs in zip(a.pop("changes"), b.pop("changes"), strict=True):
            self.assertEqual((ours["tokens"], ours["since"]), (theirs["tokens"], theirs["since"]))
            for place, change in ours["change"].items():
                self.assertAlmostEqual(change, theirs["change"][place], delta=1e-9)
        self.assertEqual(a, b)

    def test_moments_are_the_same_on_one_two_and_three_ranks(self):
        for ranks in (1, 2, 3):
            output = self.checked([self.recipe(f"ranks{ranks}", RECIPE)], ranks).stderr
            self.assertIn("covariance: the means moved by ", output)
        for ranks in (2, 3):
            self.assert_same("ranks1", f"ranks{ranks}")
        lines = self.differences("ranks1", "ranks1")
        self.assertEqual({place: line["width"] for place, line in lines.items()},
                         {f"layers/{layer}/{module}": width for layer in (0, 1) for module, width in WIDTHS.items()})
        for line in lines.values():
            self.assertGreater(line["trace"], 0)
            self.assertEqual(line["difference"], 0)
        statistics = self.statistics("ranks1")
        self.assertEqual(os.listdir(f"{self.root}/ranks1/{STAGE}").count("sums.h5"), 0)
        shares = {text["lang"]: text["tokens"] for text in statistics["texts"]}
        self.assertEqual(sum(shares.values()), statistics["tokens"])
        with open(f"{self.root}/other.txt", "rb") as file:  # a token is a byte
            self.assertEqual(shares["en"], len(file.read().replace(b"\n", b"")))
        tokens = [change["tokens"] for change in statistics["changes"]]
        self.assertEqual(tokens[-1], statistics["tokens"])
        for change in statistics["changes"][:-1]:
            self.assertGreaterEqual(change["tokens"], 2 * change["since"])
        first, last = (max(change["change"].values()) for change in (statistics["changes"][0], statistics["changes"][-1]))
        self.assertLess(last, first)

    def test_the_speed_told_is_that_of_all_ranks(self):
        # One of the parts is a single pass of rank 1: rank 0 has nothing to do.
        recipe = self.recipe("speeds", RECIPE.replace("max_tokens_per_batch: 256", "max_tokens_per_batch: 3000"))
        rates = re.findall(r"covariance \d+/\d+  (\d+) tokens/s", self.checked([recipe], ranks=2).stderr)
        self.assertGreater(len(rates), 1)
        self.assertLess(max(map(int, rates)), 50_000_000)

    def test_a_run_again_has_the_same_bytes_and_a_finished_one_is_skipped(self):
        for out in ("one", "again"):
            self.checked([self.recipe(out, RECIPE)], 2)
        for file in ("covariance.h5", "statistics.json"):
            self.assertEqual(self.text_of("one", f"{STAGE}/{file}"), self.text_of("again", f"{STAGE}/{file}"), file)
        self.assertIn("done before, unchanged", self.checked([self.recipe("one", RECIPE)]).stderr)

    def test_rows_are_counted_once_whatever_is_computed_at_once(self):
        self.checked([self.recipe("small", RECIPE)])
        self.checked([self.recipe("large", RECIPE), "covariance.max_tokens_per_batch=2048"])
        for place, line in self.differences("small", "large").items():
            self.assertLess(line["difference"], 1e-5, place)  # fp32 products of another number of rows
            self.assertEqual(line["tokens"], 20000)

    def test_a_killed_run_goes_on(self):
        self.checked([self.recipe("whole", RECIPE)])
        process = self.start([self.recipe("killed", RECIPE)])
        folder = f"{self.root}/killed/{STAGE}"
        self.assertTrue(kill_when(process, lambda: os.path.exists(f"{folder}/sums.h5")), "the run ended by itself")
        self.assertFalse(os.path.exists(f"{folder}/covariance.h5"))
        self.checked([self.recipe("killed", RECIPE)], ranks=2)
        self.assert_same("whole", "killed")
        self.assertFalse(os.path.exists(f"{folder}/sums.h5"))

    def test_a_stopped_run_goes_on(self):
        self.checked([self.recipe("whole2", RECIPE)])
        process = self.start([self.recipe("stopped", RECIPE)])
        sums = f"{self.root}/stopped/{STAGE}/sums.h5"
        while not os.path.exists(sums) and process.poll() is None:
            pass
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 75)
        self.checked([self.recipe("stopped", RECIPE)])
        self.assert_same("whole2", "stopped")

    def test_languages_add_up_to_all(self):
        self.checked([self.recipe("all", RECIPE)])
        self.checked([self.recipe("languages", RECIPE), "covariance.per_language=true"], 2)
        statistics = self.statistics("languages")
        for module in WIDTHS:
            parts = [statistics["places"][f"languages/{lang}/layers/1/{module}"]["tokens"] for lang in ("de", "en")]
            self.assertEqual(sum(parts), statistics["places"][f"layers/1/{module}"]["tokens"])
        # Packs are others, so that fp32 products are too.
        all_places = self.statistics("all")["places"]
        self.assertEqual({p: s for p, s in statistics["places"].items() if not p.startswith("languages")}, all_places)
        lines = self.differences("languages", "languages")
        traces = {place: line["trace"] * line["tokens"] for place, line in lines.items()}
        for module in WIDTHS:
            parts = [traces[f"languages/{lang}/layers/0/{module}"] for lang in ("de", "en")]
            self.assertAlmostEqual(sum(parts) / traces[f"layers/0/{module}"], 1.0, delta=SUMS)
        whole = self.differences("all", "all")
        for place, line in whole.items():
            self.assertAlmostEqual(lines[place]["trace"] / line["trace"], 1.0, delta=1e-5)

    def test_few_tokens_are_a_warning(self):
        result = self.checked([self.recipe("few", RECIPE), "covariance.max_tokens=30"])
        self.assertIn("covariance: layers/0/down_proj: 30 tokens are fewer than the width 40, so that the matrix has "
                      "no inverse", result.stderr)
        self.assertNotIn("layers/0/qkv", result.stderr)

    def test_published_moments_are_imported(self):
        self.checked([self.recipe("imported", IMPORT)], 2)
        (line,) = self.differences("imported", "imported").values()
        self.assertEqual((line["place"], line["width"], line["tokens"]), ("layers/1/down_proj", 40, 7))
        self.assertEqual(line["trace"], 80)

    def test_moments_of_another_model_or_layer_are_refused(self):
        shutil.copytree(f"{self.root}/model", f"{self.root}/another")
        with open(f"{self.root}/another/config.json", "a") as file:
            file.write("\n")  # another file
        self.checked([self.recipe("moments", RECIPE)])
        other = [self.recipe("edit", EDIT), f"model.model_name_or_path={self.root}/another"]
        for command in (["validate", *other], other):
            result = self.run_program(command)
            self.assertEqual(result.returncode, 65, result.stderr)
            self.assertRegex(result.stderr,
                             "covariance.h5: expected second moments of the model [0-9a-f]{12}, found those of ")
            self.assertNotIn("starts", result.stderr)
        write_model(f"{self.root}/wide", inner=48)
        result = self.run_program(["validate", self.recipe("edit", EDIT), f"model.model_name_or_path={self.root}/wide"])
        self.assertEqual(result.returncode, 65, result.stderr)
        self.assertIn("layers/1/down_proj: expected a matrix of width 48, found shape [40, 40]", result.stderr)
        self.checked([self.recipe("moments", RECIPE), "covariance.layers=[0]", "--fresh"])
        result = self.run_program([self.recipe("edit", EDIT), "--fresh"])
        self.assertEqual(result.returncode, 65, result.stderr)
        self.assertIn("covariance.h5: expected layers/1/down_proj, found layers/0/down_proj, ", result.stderr)

    def test_what_cannot_be_counted_is_named_before_the_run(self):
        for name, content in (("blank.txt", b"  \n\n"), ("latin.txt", b"caf\xe9\n")):
            with open(f"{self.root}/{name}", "wb") as file:
                file.write(content)
        write_statistics(f"{self.root}/narrow.npz", 12, 3)
        with open(f"{self.root}/text.npz", "w") as file:
            file.write("no archive")
        first = "stages.0.texts.0.data="
        for text, override, code, told in (
                (RECIPE, "covariance.layers=[0,2]", 78, "covariance.layers: expected layers below 2, the model's number, found 2"),
                (RECIPE, "covariance.modules=[downproj]", 78, "expected down_proj, gate_up, qkv or o_proj, found downproj"),
                (RECIPE, "covariance.context_length=4096", 78, "expected at most the 2048 tokens of the model's context, found 4096"),
                (RECIPE, f"{first}{self.root}/blank.txt", 65, "blank.txt: expected a text, found nothing but blanks"),
                (RECIPE, f"{first}{self.root}/latin.txt", 65, "latin.txt: line 1: expected UTF-8"),
                (RECIPE, f"{first}{self.root}/none.txt", 66, "none.txt"),
                (IMPORT, f"stages.0.import.0.data={self.root}/narrow.npz", 65,
                 "narrow.npz: mom2.mom2: expected shape [40, 40], found [12, 12]"),
                (IMPORT, f"stages.0.import.0.data={self.root}/text.npz", 65, "text.npz: expected a zip file of arrays"),
                (IMPORT, "stages.0.import.0.layer=9", 78, "covariance.import: expected layers below 2")):
            for command in (["validate"], []):
                result = self.run_program([*command, self.recipe("bad", text), override])
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(told, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    CovarianceRun.compare = os.path.abspath(sys.argv.pop(1))
    unittest.main()
