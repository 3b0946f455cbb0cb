#!/usr/bin/env python3
"""Weights rounded in a run, as a user meets them, on a tiny random model: what the stages below see, ranks, restarts, errors.

usage: quantize_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import os
import sys
import unittest

from tiny_run import TinyRunTest, write_model

HEAD = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: MODEL, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
"""
EVALUATE = """\
  - evaluate: {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "12:20"}}
"""
TRAIN = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:12"}}
  - sft: {{global_batch_size: 5, max_steps: 6, learning_rate: 1.0e-2LORA}}
"""
QUANTIZE = "  - quantize: {{type: Q4_0}}\n"
ROUNDED = HEAD + TRAIN + QUANTIZE + EVALUATE


def recipe_of(text, model="{root}/even", lora=""):
    return text.replace("MODEL", model).replace("LORA", lora)


class QuantizeRun(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_model(f"{cls.root}/even", inner=64, heads=4)  # rows of whole blocks

    def run_recipe(self, out, text, ranks=1, **parts):
        return self.checked([self.recipe(out, recipe_of(text, **parts))], ranks)

    def predictions(self, out, stage):
        """Without what tells of weights before: the phase, and locality against them."""
        return [{key: value for key, value in line.items() if key not in ("phase", "base_locality")}
                for line in self.lines(out, f"{stage}/predictions.jsonl")]

    def assert_same_as_the_file(self, out, stage):
        """The rounded weights answer as a model does that is opened from the stage's file."""
        self.run_recipe(f"{out}_file", HEAD + EVALUATE, model=f"{self.root}/{out}/03-quantize/model.gguf")
        self.assertEqual(self.predictions(out, stage), self.predictions(f"{out}_file", "01-evaluate"))

    def test_the_stages_below_work_with_what_the_file_holds(self):
        self.run_recipe("rounded", HEAD + TRAIN + QUANTIZE + EVALUATE)
        self.run_recipe("plain", HEAD + TRAIN + EVALUATE)
        self.assert_same_as_the_file("rounded", "04-evaluate")
        self.assertNotEqual(self.predictions("rounded", "04-evaluate"), self.predictions("plain", "03-evaluate"))
        self.assertIn("XE-IT + Q4_0", self.text_of("rounded", "report.html").decode())

    def test_two_ranks_write_the_same_file(self):
        self.run_recipe("one", HEAD + QUANTIZE + EVALUATE)
        self.run_recipe("two", HEAD + QUANTIZE + EVALUATE, ranks=2)
        for file in ("01-quantize/model.gguf", "02-evaluate/predictions.jsonl", "02-evaluate/results.json"):
            self.assertEqual(self.text_of("one", file), self.text_of("two", file), file)

    def test_an_adapter_is_merged_in(self):
        self.run_recipe("adapted", ROUNDED, lora=", lora: {{r: 4}}")
        self.assert_same_as_the_file("adapted", "04-evaluate")

    def test_a_later_start_and_later_training_go_on_from_the_file(self):
        tuned = ROUNDED + "  - sft: {{train_data: build_data, global_batch_size: 5, max_steps: 3}}\n" + EVALUATE
        self.run_recipe("whole", tuned)
        begun = self.run_recipe("begun", ROUNDED)
        self.assertIn("03-quantize: done in", begun.stderr + begun.stdout)
        went_on = self.run_recipe("begun", tuned)
        self.assertIn("03-quantize: done before, unchanged", went_on.stderr + went_on.stdout)
        for file in ("05-sft/metrics.jsonl",):
            losses = [[line["loss"] for line in self.lines(out, file)] for out in ("whole", "begun")]
            self.assertEqual(*losses)
        self.assertEqual(self.predictions("whole", "06-evaluate"), self.predictions("begun", "06-evaluate"))

    def test_models_that_no_file_can_hold_are_refused_before_the_run(self):
        text = HEAD + TRAIN + QUANTIZE
        for command in (["validate"], []):
            result = self.run_program([*command, self.recipe("odd", recipe_of(text, model="{root}/model"))])
            self.assertEqual(result.returncode, 78, result.stderr)
            self.assertIn("Q4_0", result.stderr)
        self.assertFalse(os.path.exists(f"{self.root}/odd/02-sft"))
        form = ", lora: {{r: 4, base: q8_0}}"
        result = self.run_program(["validate", self.recipe("held", recipe_of(text, lora=form))])
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("quantize: expected lora with base: q8_0", result.stderr)

    def test_a_damaged_file_is_named(self):
        self.run_recipe("damaged", ROUNDED)
        file = f"{self.root}/damaged/03-quantize/model.gguf"
        with open(file, "r+b") as damaged:
            damaged.truncate(os.path.getsize(file) // 2)
        text = ROUNDED + EVALUATE
        result = self.run_program([self.recipe("damaged", recipe_of(text))])
        self.assertIn(result.returncode, (65, 74), result.stderr)
        self.assertIn(file, result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
