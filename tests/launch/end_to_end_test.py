#!/usr/bin/env python3
"""The program as a user meets it, on a tiny random model: ranks, resume after SIGKILL, exit codes.

usage: end_to_end_test.py XKDE_DIST_BINARY
Needs python3 and mpirun only.
"""

import json
import os
import random
import signal
import subprocess
import sys
import unittest

from tiny_run import RECIPE, TinyRunTest
from watching import PATIENCE, kill_when, reaches


class EndToEnd(TinyRunTest):
    def test_one_two_and_three_ranks_give_the_same_curve_and_files(self):
        for ranks in (1, 2, 3):
            result = self.run_program([self.recipe(f"ranks{ranks}")], ranks)
            self.assertEqual(result.returncode, 0, result.stderr)
        reference = self.losses("ranks1")
        self.assertEqual(len(reference), 10)
        self.assertLess(reference[-1], reference[0])
        predictions = self.lines("ranks1", "03-evaluate/predictions.jsonl")
        self.assertEqual(len(predictions), 8 * 4)
        for ranks in (2, 3):
            for got, expected in zip(self.losses(f"ranks{ranks}"), reference, strict=True):
                self.assertAlmostEqual(got, expected, delta=1e-5)
            other = self.lines(f"ranks{ranks}", "03-evaluate/predictions.jsonl")
            order = [(line["record"], line["metric"]) for line in other]
            self.assertEqual(order, [(line["record"], line["metric"]) for line in predictions])

    def test_every_mode_of_the_engine_gives_the_curve_of_one_rank(self):
        self.assertEqual(self.run_program([self.recipe("one"), "parallel.shard=grads"]).returncode, 0)
        modes = [(2, 1e-5, ["parallel.shard=full", "parallel.recompute=block", "parallel.prefetch=1"]),
                 (3, 1e-5, ["parallel.shard=full", "parallel.recompute=none"]),
                 (4, 1e-5, ["parallel.shard=grads", "sft.max_tokens_per_pack=64"]),
                 (3, 1e-5, ["parallel.shard=optimizer", "sft.max_tokens_per_pack=64"]),
                 (4, 1e-5, ["parallel.shard=none"]),
                 (4, 1e-5, ["parallel.shard=full", "parallel.replicate=2"]),
                 # Gradients of 8 bits of mantissa, ten steps at a rate that moves the loss by a fifth.
                 (2, 2e-2, ["parallel.grad_reduce_dtype=bfloat16"]),
                 (2, 5e-2, ["model.dtype=bfloat16"])]
        for number, (ranks, tolerance, keys) in enumerate(modes):
            with self.subTest(ranks=ranks, keys=keys):
                name = f"mode{number}"
                result = self.run_program([self.recipe(name), *keys], ranks)
                self.assertEqual(result.returncode, 0, result.stderr)
                for got, expected in zip(self.losses(name), self.losses("one"), strict=True):
                    self.assertAlmostEqual(got, expected, delta=tolerance)

    def test_token_trees_change_no_result(self):
        self.assertEqual(self.run_program([self.recipe("trees")]).returncode, 0)
        plain = self.run_program([self.recipe("plain"), "sft.token_tree=false", "evaluate.token_tree=false"])
        self.assertEqual(plain.returncode, 0, plain.stderr)
        for got, expected in zip(self.losses("plain"), self.losses("trees"), strict=True):
            self.assertAlmostEqual(got, expected, delta=1e-5)
        ids = {name: [line["predicted_ids"] for line in self.lines(name, "03-evaluate/predictions.jsonl")]
               for name in ("trees", "plain")}
        self.assertEqual(ids["plain"], ids["trees"])
        computed = {name: sum(line["computed_tokens"] for line in self.lines(name, "02-sft/metrics.jsonl"))
                    for name in ("trees", "plain")}
        self.assertLess(computed["trees"], computed["plain"])

    def test_a_second_run_does_nothing_and_a_changed_key_reruns_on_request(self):
        path = self.recipe("again")
        self.assertEqual(self.run_program([path]).returncode, 0)
        before = os.stat(f"{self.root}/again/02-sft/metrics.jsonl").st_mtime_ns
        second = self.run_program([path])
        self.assertEqual(second.stderr.count("done before, unchanged"), 4, second.stderr)
        self.assertEqual(os.stat(f"{self.root}/again/02-sft/metrics.jsonl").st_mtime_ns, before)
        refused = self.run_program([path, "sft.learning_rate=2e-2"])
        self.assertEqual(refused.returncode, 78, refused.stderr)
        self.assertIn("02-sft (02-sft.old-1 with --fresh): sft.learning_rate 0.01 : 0.02", refused.stderr)
        third = self.run_program([path, "--fresh", "sft.learning_rate=2e-2"])
        self.assertEqual(third.returncode, 0, third.stderr)
        self.assertEqual(third.stderr.count("done before, unchanged"), 1, third.stderr)
        self.assertEqual(os.stat(f"{self.root}/again/02-sft.old-1/metrics.jsonl").st_mtime_ns, before)

    def test_a_killed_run_goes_on_with_bit_equal_losses(self):
        text = RECIPE.replace("max_steps: 10", "max_steps: 200")  # enough that it does not end unwatched
        self.assertEqual(self.run_program([self.recipe("whole", text)], 2).returncode, 0)
        path = self.recipe("killed", text)
        rng = random.Random(3)
        for _ in range(3):
            wanted = self.steps("killed") + rng.randint(1, 8)
            process = self.start([path], 2)
            self.assertTrue(kill_when(process, lambda: self.steps("killed") >= wanted), "the run ended by itself")
        result = self.run_program([path], 2)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.losses("killed"), self.losses("whole"))

    def test_a_stop_request_saves_and_exits_75(self):
        path = self.recipe("stopped", RECIPE.replace("max_steps: 10", "max_steps: 5000").replace(
            "save_steps: 2", "save_steps: 0"))
        process = self.start([path], stderr=subprocess.PIPE)
        self.assertTrue(reaches(process, lambda: self.steps("stopped") > 0), "the run ended by itself")
        process.send_signal(signal.SIGUSR1)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, errors)
        self.assertIn("checkpoint saved", errors)
        self.assertTrue(os.path.exists(f"{self.root}/stopped/02-sft/checkpoints/LATEST"))

    def expect_failure(self, text, code, *words, arguments=(), ranks=1):
        name = f"bad{abs(hash((text, arguments))) % 10**8}"
        result = self.run_program([self.recipe(name, text), *arguments], ranks)
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertFalse(os.path.exists(f"{self.root}/{name}/02-sft/DONE"))

    def test_bad_input_has_one_line_and_its_exit_code(self):
        self.expect_failure(RECIPE.replace("learning_rate", "learnig_rate"), 78, "did you mean", "learning_rate")
        self.expect_failure(RECIPE.replace("{root}/model", "{root}/nothing"), 66, "nothing")
        self.expect_failure(RECIPE, 66, "absent", arguments=("build_data.sources.0.data=/absent",))
        self.expect_failure(RECIPE, 78, "sft.max_steps", arguments=("sft.max_steps=many",))
        broken = f"{self.root}/broken_enes.json"
        records = json.loads(json.dumps(self.records))
        records[3]["es"]["alt"] = None
        with open(broken, "w") as file:
            json.dump(records, file)
        text = RECIPE.replace("edits_enes", "broken_enes")
        self.expect_failure(text, 65, "row 3", "es.alt", "non-empty string", "null")
        self.expect_failure(text, 65, "row 3", ranks=3)

    def test_a_usage_error_is_64(self):
        self.assertEqual(self.run_program(["--no-such-option"]).returncode, 64)
        self.assertEqual(self.run_program(["--help"]).returncode, 0)
        self.assertIn("xkde_dist", self.run_program(["--version"]).stdout)
        self.assertIn("libtorch", self.run_program(["env"]).stdout)

    def test_a_diverging_run_exits_80(self):
        self.expect_failure(RECIPE.replace("learning_rate: 1.0e-2", "learning_rate: 1.0e+30"), 80, "finite")


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
