#!/usr/bin/env python3
"""Perplexity and choices as a user meets them, on a tiny random model: ranks, SIGKILL, before and after training, errors.

usage: capability_run_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import random
import sys
import unittest

from tiny_run import WORDS, TinyRunTest
from watching import count_lines, kill_when

RECIPE = """\
run_name: tiny
output_dir: {out}
logging_steps: 100
model: {{model_name_or_path: {root}/model, dtype: float32, chat_template: chatml_no_system}}
parallel: {{threads: 1}}
stages:
  - capability: &asked
      perplexity:
        - {{data: {root}/text.txt, lang: de}}
        - {{data: {root}/text.txt, name: whole, lang: de, documents: file}}
      choices: [{{data: {root}/choices.jsonl, name: quiz}}]
      max_length: 48
      max_tokens_per_batch: 128
"""
TRAINING = """\
  - build_data:
      sources:
        - {{benchmark: mzsre, data: {root}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:12"}}
  - sft: {{global_batch_size: 5, max_steps: 3, learning_rate: 1.0e-2}}
  - capability: *asked
"""
FILES = ("predictions.jsonl", "results.json", "statistics.json", "likelihoods.jsonl")
STAGE = "01-capability"


class CapabilityRun(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(f"{cls.root}/model/tokenizer_config.json", "w") as file:
            json.dump(dict(bos_token="<|im_start|>", eos_token="<|im_end|>"), file)
        rng = random.Random(3)

        def phrase(words):
            return " ".join(rng.choice(WORDS) for _ in range(words))

        with open(f"{cls.root}/text.txt", "w") as file:
            file.write("\n".join(phrase(rng.randrange(3, 30)) for _ in range(12)) + "\n\n")
        cls.rows = [dict(id=i, lang="de" if i % 3 else "en", context=phrase(rng.randrange(0, 14)),
                         choices=[phrase(rng.randrange(1, 4)) for _ in range(4)], answer=rng.randrange(4))
                    for i in range(30)]
        with open(f"{cls.root}/choices.jsonl", "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in cls.rows)

    def results(self, out, stage=STAGE):
        rows = json.loads(self.text_of(out, f"{stage}/results.json"))
        return {(row["benchmark"], row["test_language"], row["metric"]): row for row in rows}

    def test_files_are_the_same_on_one_two_and_three_ranks(self):
        for ranks in (1, 2, 3):
            self.checked([self.recipe(f"ranks{ranks}", RECIPE)], ranks)
        for file in FILES:
            texts = {self.text_of(f"ranks{ranks}", f"{STAGE}/{file}") for ranks in (1, 2, 3)}
            self.assertEqual(len(texts), 1, file)
        rows = self.results("ranks1")
        self.assertEqual(rows["quiz", "de", "acc"]["n"], 20)
        self.assertEqual(rows["quiz", "en", "acc_norm"]["n"], 10)
        self.assertEqual(rows["text", "de", "perplexity"]["n"], 12)
        self.assertEqual(rows["whole", "de", "bits_per_byte"]["n"], 1)
        for row in rows.values():
            self.assertIsNotNone(row["value"])
        predictions = self.lines("ranks1", f"{STAGE}/predictions.jsonl")
        self.assertEqual(len(predictions), 12 + 1 + 30)
        quiz = predictions[13:]
        right = [p["log_likelihoods"].index(max(p["log_likelihoods"])) == p["answer"] for p in quiz
                 if p["language"] == "en"]
        self.assertAlmostEqual(rows["quiz", "en", "acc"]["value"], 100 * sum(right) / len(right), places=2)
        self.assertGreater(max(p["cut"] for p in quiz), 0)
        statistics = json.loads(self.text_of("ranks1", f"{STAGE}/statistics.json"))
        self.assertEqual(statistics["cut_contexts"], sum(p["cut"] > 0 for p in quiz))
        self.assertEqual(statistics["skipped"]["blank lines"], 1)

    def test_contexts_computed_once_give_the_same_likelihoods(self):
        self.checked([self.recipe("shared", RECIPE)])
        self.checked([self.recipe("alone", RECIPE), "capability.token_tree=false"])
        for one, other in zip(self.lines("shared", f"{STAGE}/likelihoods.jsonl"),
                              self.lines("alone", f"{STAGE}/likelihoods.jsonl"), strict=True):
            for a, b in zip(one["log_likelihoods"], other["log_likelihoods"], strict=True):
                self.assertAlmostEqual(a, b, delta=1e-4 * abs(b))  # fp32 products of another number of rows
        computed = {out: sum(m["computed_tokens"] for m in self.lines(out, f"{STAGE}/metrics.jsonl"))
                    for out in ("shared", "alone")}
        self.assertLess(computed["shared"], 0.8 * computed["alone"])

    def test_a_killed_run_goes_on(self):
        self.checked([self.recipe("whole", RECIPE)])
        metrics = f"{self.root}/killed/{STAGE}/metrics.jsonl"
        process = self.start([self.recipe("killed", RECIPE)])
        self.assertTrue(kill_when(process, lambda: count_lines(metrics) >= 2), "the run ended by itself")
        self.checked([self.recipe("killed", RECIPE)], ranks=2)
        for file in FILES:
            self.assertEqual(self.text_of("killed", f"{STAGE}/{file}"), self.text_of("whole", f"{STAGE}/{file}"), file)

    def test_tables_show_it_before_and_after_training(self):
        output = self.checked([self.recipe("trained", RECIPE + TRAINING)]).stdout
        for title in ("text, perplexity", "whole, perplexity", "quiz, choices"):
            self.assertIn(title, output)
        self.assertIn(" \u2192 ", output)
        before, after = self.results("trained"), self.results("trained", "04-capability")
        self.assertEqual(before.keys(), after.keys())
        self.assertEqual({row["phase"] for row in after.values()}, {"after"})
        self.assertNotEqual(before["text", "de", "nll"]["value"], after["text", "de", "nll"]["value"])
        report = self.text_of("trained", "report.html").decode()
        self.assertIn("<h2>quiz, choices</h2>", report)
        self.assertIn("bits_per_byte", report)

    def test_what_cannot_be_asked_is_named_before_the_run(self):
        bad = f"{self.root}/bad.jsonl"
        for row, told in ((dict(context="a", choices=["x", "y"], answer=2), "line 1: answer: expected"),
                          (dict(context="a", choices=["x", ""], answer=0), "line 1: choices.1: expected"),
                          (dict(context="a", choices=["x", "y" * 60], answer=0), "line 1: choices.1: expected at most")):
            with open(bad, "w") as file:
                file.write(json.dumps(row) + "\n")
            override = f"stages.0.choices.0.data={bad}"
            for command in (["validate"], []):
                result = self.run_program([*command, self.recipe("bad", RECIPE), override])
                self.assertEqual(result.returncode, 65, result.stderr)
                self.assertIn(f"{bad}: {told}", result.stderr)
        result = self.run_program(["validate", self.recipe("bad", RECIPE), "stages.0.max_length=4096"])
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("expected at most the 2048 tokens of the model's context, found 4096", result.stderr)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
