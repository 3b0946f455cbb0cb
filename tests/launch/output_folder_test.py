#!/usr/bin/env python3
"""Where runs write: nothing of the user's is deleted or replaced unasked.

usage: output_folder_test.py XKDE_DIST_BINARY
Needs python3 only.
"""

import json
import os
import shutil
import sys
import unittest

from tiny_run import TinyRunTest
from watching import kill_when

RECIPE = """\
run_name: tiny
output_dir: {out}
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - evaluate: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "18:"}}
  - sft: {{train_data: {root}/train.json, global_batch_size: 2, max_steps: STEPS, learning_rate: 1.0e-2, save_steps: 1}}
  - evaluate: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "18:"}}
"""
BUILDS = "".join(RECIPE.splitlines(keepends=True)[:5]) + """\
  - build_data:
      sources: [{{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:4"}}]
  - evaluate: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "18:"}}
"""
EXPORT = "  - export: {{path: {root}/h, dtype: float32}}\n"


def with_steps(steps):
    return RECIPE.replace("STEPS", str(steps))


class OutputFolder(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        turns = [{"from": "human", "value": "who?"}, {"from": "gpt", "value": "nobody"}]
        with open(f"{cls.root}/train.json", "w") as file:
            json.dump([dict(conversations=turns)] * 4, file)

    def expect(self, code, arguments, *words):
        result = self.run_program(arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        return result

    def expect_refused(self, arguments, *words):
        """A start that is refused changes nothing, and is refused alike by those who only look."""
        start = self.expect(78, arguments, *words)
        refusal = start.stderr[start.stderr.index("ConfigError"):]
        for looks in (["validate", *arguments], [*arguments, "--dry-run"]):
            self.assertEqual(self.expect(78, looks).stderr, refusal)
        self.expect(0, [*arguments, "--dry-run", "--fresh"])
        return start

    def write(self, name, text):
        os.makedirs(os.path.dirname(f"{self.root}/{name}"), exist_ok=True)
        with open(f"{self.root}/{name}", "w") as file:
            file.write(text)

    def tree(self, name):
        """Every file below a folder of the root with its content, but for the digests that a start keeps."""
        files = {}
        for folder, _, names in os.walk(f"{self.root}/{name}"):
            for one in set(names) - {".digests.json"}:
                with open(f"{folder}/{one}", "rb") as file:
                    files[f"{folder}/{one}"] = file.read()
        return files

    def expect_rights(self, folder, mask):
        """All that a run made is for all whom the umask leaves."""
        for inner, _, names in os.walk(folder):
            for path, most in [(inner, 0o777), *((f"{inner}/{name}", 0o666) for name in names)]:
                self.assertEqual(oct(os.stat(path).st_mode & 0o777), oct(most & ~mask), path)

    def test_an_export_replaces_exports_only(self):
        path = self.recipe("exporting", with_steps(1) + EXPORT)
        before = os.umask(0o002)
        self.expect(0, [path])
        os.umask(before)
        self.expect_rights(f"{self.root}/exporting", 0o002)
        self.expect_rights(f"{self.root}/h", 0o002)
        self.expect(0, [path, f"export.path={self.root}/h/", "export.dtype=bfloat16"])  # the same folder
        with open(f"{self.root}/h/config.json") as file:
            self.assertIn("bfloat16", file.read())
        self.assertEqual([name for name in os.listdir(self.root) if name.startswith((".xkde", "h."))], [])
        self.write("mine/config.json", "{}")
        self.write("mine/sub/notes", "mine")
        shutil.copytree(f"{self.root}/h", f"{self.root}/used")
        self.write("used/notes", "mine")
        os.symlink("nowhere", f"{self.root}/dangling")
        for target, words in [("model", "found one that is model.model_name_or_path"),
                              ("model/hf", "found one that lies in model.model_name_or_path"),
                              ("mine", "found a folder without .xkde_export.json"),
                              ("used", "which"), ("dangling", "found a link that leads nowhere"),
                              ("train.json", "found one that is sft.train_data"),
                              ("exporting", "a folder apart from what the run writes"),
                              ("exporting/02-sft", "a folder apart from what the run writes")]:
            before = self.tree(target)
            for command in ([], ["validate"]):
                with self.subTest(target=target, command=command):
                    # An output folder of its own: the refusal comes before any work.
                    out = [] if target.startswith("exporting") else [f"output_dir={self.root}/never"]
                    self.expect(78, [*command, path, f"export.path={self.root}/{target}", *out], words)
                    self.assertEqual(self.tree(target), before)
        self.assertFalse(os.path.exists(f"{self.root}/never"))

    def test_an_export_of_another_training_is_set_aside_only_when_asked(self):
        path = self.recipe("first", with_steps(1) + EXPORT.replace("/h,", "/given,"))
        self.expect(0, [path])
        before = self.tree("given")
        refusal = (f"export.path: {self.root}/given: expected nothing there or an earlier export of the same weights, "
                   "found one of others")
        self.expect_refused([path, "sft.learning_rate=2.0e-2"], "02-sft.old-1 with --fresh", refusal, "(given.old-1)")
        # A run in a folder of its own is refused before any work, too.
        second = [path, "sft.learning_rate=2.0e-2", f"output_dir={self.root}/second"]
        refused = self.expect_refused(second, refusal, "--fresh sets it aside (given.old-1)")
        self.assertNotIn("starts", refused.stderr)
        self.assertEqual(self.tree("given"), before)
        self.expect(0, [*second, "--fresh"], "given: set aside as given.old-1")
        aside = self.tree("given.old-1")
        self.assertEqual([*aside.values()], [*before.values()])
        self.assertNotEqual([*self.tree("given").values()], [*before.values()])
        # What it wrote is its own: it goes on where it was broken off.
        os.remove(f"{self.root}/second/04-export/DONE")
        self.expect(0, second, "04-export: goes on")
        self.assertFalse(os.path.exists(f"{self.root}/given.old-2"))

    def test_an_export_that_is_gone_is_written_again(self):
        path = self.recipe("gone", with_steps(1) + EXPORT.replace("/h,", "/taken,"))
        self.expect(0, [path])
        before = self.tree("taken")
        shutil.rmtree(f"{self.root}/taken")
        self.expect(0, [path], "03-evaluate: done before, unchanged", "04-export: goes on")
        self.assertEqual(self.tree("taken"), before)
        self.expect(0, [path], "04-export: done before, unchanged")

    def test_a_run_keeps_off_its_inputs(self):
        before = self.tree("model")
        path = self.recipe("apart", with_steps(1))
        for target in ("model", "model/run", "train.json", ""):
            for command in ([], ["validate"]):
                self.expect(78, [*command, path, f"output_dir={self.root}/{target}"],
                            "expected a path apart from all inputs")
        self.assertEqual(self.tree("model"), before)

    def test_a_changed_key_is_refused_and_a_free_one_goes_on(self):
        path = self.recipe("changed", with_steps(2))
        self.expect(0, [path])
        before = self.tree("changed")
        shutil.copytree(f"{self.root}/model", f"{self.root}/copy")
        self.expect(0, ["validate", path])
        refused = self.expect_refused([path, "sft.max_steps=3"], "found 2 changed", "--fresh sets it aside",
                                      "02-sft (02-sft.old-1 with --fresh): sft.max_steps 2 : 3",
                                      "03-evaluate (03-evaluate.old-1 with --fresh): builds on what has changed (weights)")
        self.assertNotIn("01-evaluate", refused.stderr)
        self.assertEqual(self.tree("changed"), before)
        for keys in (["sft.save_steps=2", "sft.save_total_limit=1", "sft.async_save=false", "logging_steps=1"],
                     [f"model.model_name_or_path={self.root}/copy/"]):
            result = self.expect(0, [path, *keys])
            self.assertEqual(result.stderr.count("done before, unchanged"), 3, result.stderr)
        self.write("changed/02-sft/mine.txt", "mine")
        result = self.expect(0, [path, "--fresh", "sft.max_steps=3"], "02-sft: set aside as 02-sft.old-1")
        self.assertEqual(result.stderr.count("done before, unchanged"), 1, result.stderr)
        self.assertEqual(self.text_of("changed", "02-sft.old-1/mine.txt"), b"mine")
        self.assertTrue(os.path.exists(f"{self.root}/changed/02-sft.old-1/checkpoints/LATEST"))

    def test_a_training_set_stays_as_long_as_it_leaves_out_the_same_questions(self):
        path = self.recipe("asked", BUILDS)
        self.expect(0, [path])
        changed = "01-build_data (01-build_data.old-1 with --fresh): build_data.left_out_questions "
        other = self.expect(78, [path, "evaluate.records=16:"], "02-evaluate (")  # none of them is trained on
        self.assertNotIn("01-build_data", other.stderr)
        self.expect_refused([path, "evaluate.records=2:"], changed, "02-evaluate (")
        self.expect(0, [path, "--fresh", "evaluate.records=2:"], "test questions left out")
        rows = [len(json.loads(self.text_of("asked", f"01-build_data{old}/train.json"))) for old in ("", ".old-1")]
        self.assertLess(*rows)
        self.expect(0, [path, "evaluate.records=2:"], "01-build_data: done before, unchanged")

    def test_stages_keep_their_folders_and_reports_show_those_of_the_recipe(self):
        path = self.recipe("moved", with_steps(1))
        self.expect(0, [path])
        lines = with_steps(1).splitlines(keepends=True)
        shorter = self.recipe("moved", "".join(lines[:5] + lines[6:]))  # without the first evaluation
        result = self.expect(0, [shorter], "02-sft: done before, unchanged", "03-evaluate: done before, unchanged")
        self.assertNotIn("starts", result.stderr)
        text = self.text_of("moved", "results.csv").decode()
        self.assertIn(",03-evaluate,XE-IT,", text)
        self.assertNotIn("01-evaluate", text)
        self.expect(0, [self.recipe("moved", with_steps(1))], "01-evaluate: done before, unchanged")
        self.assertIn(",01-evaluate,before training,", self.text_of("moved", "results.csv").decode())

    def test_a_folder_belongs_to_one_run(self):
        out = f"output_dir={self.root}/owned"
        self.expect(0, [self.recipe("owned", with_steps(1))])
        before = self.tree("owned")
        other = self.recipe("other", "".join(with_steps(1).splitlines(keepends=True)[:6]).replace("tiny", "other"))
        self.expect_refused([other, out], "expected the run tiny, found other", "run_name=tiny goes on with it")
        self.assertEqual(self.tree("owned"), before)

    def test_a_run_in_use_is_refused_and_a_killed_one_goes_on(self):
        path = self.recipe("busy", with_steps(100000))
        process = self.start([path])

        def refused():
            if self.steps("busy") == 0:
                return False
            self.expect(78, [path], f"found one in use by process {process.pid} on ")
            return True

        self.assertTrue(kill_when(process, refused), "the run ended by itself")
        self.expect(0, ["report", f"{self.root}/busy"], "busy: it ended without a word, and last wrote at ")
        self.assertIn("interrupted", self.text_of("busy", "report.html").decode())
        self.expect(78, [path, "sft.max_steps=3"], "the start before was interrupted", "found ")
        self.assertEqual(json.loads(self.text_of("busy", "run.json"))["exit_reason"], "interrupted")
        again = self.start([path])
        steps = self.steps("busy")
        self.assertTrue(kill_when(again, lambda: self.steps("busy") > steps), "the run ended by itself")


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
