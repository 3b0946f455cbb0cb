#!/usr/bin/env python3
"""compare() of xkde_results: which questions it pairs, what it refuses, what it counts."""

import functools
import unittest

from run_folders import DIGEST, RunFoldersTest, prediction, scores, write_evaluation, write_run

import xkde_results
from xkde_results import (DamagedFileError, DifferentQuestionsError, UnpairedQuestionsWarning, load_run,
                          recipe_differences)

COUNT = 40
compare = functools.partial(xkde_results.compare, resamples=1000)  # enough for these, and quick without numpy


def asked(level, salt=0, tests=("es", "de"), records=COUNT, **more):
    return [prediction(record, score, metric, test=test, **more)
            for test in tests for metric in ("reliability", "locality")
            for record, score in enumerate(scores(records, level if metric == "reliability" else 0.5, salt))]


class Compare(RunFoldersTest):
    def test_the_same_questions_are_paired_and_their_difference_is_that_of_the_results(self):
        one, other = load_run(self.evaluated("one", asked(0.3))), load_run(self.evaluated("other", asked(0.6, 0.4)))

        found = compare(one, other)

        self.assertEqual((found.questions, found.only_one, found.only_other), (4 * COUNT, 0, 0))
        self.assertEqual(found.benchmark, "mzsre")
        by_key = {(one.test_language, one.metric): one for one in found.differences}
        self.assertEqual(list(by_key), [("es", "reliability"), ("de", "reliability"), ("", "reliability"),
                                        ("es", "locality"), ("de", "locality"), ("", "locality")])
        for row, counterpart in zip(one.evaluations[0].results, other.evaluations[0].results):
            difference = by_key[row.test_language, row.metric]
            self.assertAlmostEqual(difference.one, row.value, delta=0.005)  # results.json has two decimals
            self.assertAlmostEqual(difference.other, counterpart.value, delta=0.005)
            self.assertAlmostEqual(difference.difference, difference.other - difference.one, delta=1e-9)
            self.assertEqual((difference.records, difference.questions), (COUNT, COUNT))
        reliability, locality = by_key["es", "reliability"], by_key["es", "locality"]
        self.assertTrue(reliability.is_significant)
        self.assertGreater(reliability.low, 0)
        self.assertLess(reliability.low, reliability.difference)
        self.assertLess(reliability.difference, reliability.high)
        self.assertFalse(locality.is_significant)
        self.assertEqual([one.p_holm for one in found.differences], xkde_results.holm([one.p for one in found.differences]))
        self.assertGreater(reliability.p_holm, reliability.p)
        mean = by_key["", "reliability"]
        self.assertAlmostEqual(mean.difference, (reliability.difference + by_key["de", "reliability"].difference) / 2)
        self.assertEqual((mean.records, mean.questions, mean.pair), (COUNT, 2 * COUNT, "mean of pairs"))

    def test_records_and_not_questions_are_what_is_drawn(self):
        # The same record in two languages says the same twice: its mean over languages has no narrower interval.
        one, other = load_run(self.evaluated("one", asked(0.3))), load_run(self.evaluated("other", asked(0.5, 0.4)))

        spanish, _, mean = compare(one, other, metric="reliability").differences

        self.assertAlmostEqual(mean.low, spanish.low)
        self.assertAlmostEqual(mean.p, spanish.p)

    def test_a_run_does_not_differ_from_itself(self):
        run = load_run(self.evaluated("one", asked(0.3)))

        for one in compare(run, run).differences:
            self.assertEqual((one.difference, one.low, one.high, one.p), (0, 0, 0, 1))

    def test_stages_of_one_run_are_compared(self):
        write_evaluation(self.root / "run/01-evaluate", asked(0.3))
        write_evaluation(self.root / "run/02-evaluate", asked(0.6))
        write_run(self.root / "run", {"01-evaluate": {}, "02-evaluate": {}})
        run = load_run(self.root / "run")

        self.assertGreater(compare(run["01-evaluate"], run["02-evaluate"]).differences[0].difference, 20)
        with self.assertRaisesRegex(ValueError, r'found 2; give one of: run\["01-evaluate"\] \(before training\)'):
            compare(run, run)
        with self.assertRaisesRegex(TypeError, "expected a Run or a Stage, found str"):
            compare("runs/a", run)

    def test_questions_of_one_side_alone_are_counted_and_warned_of(self):
        one = load_run(self.evaluated("one", asked(0.3)))
        other = load_run(self.evaluated("other", asked(0.6, tests=("es",)) + asked(0.6, tests=("fr",), records=3)))

        with self.assertWarnsRegex(UnpairedQuestionsWarning, "alone asks 80 questions, .* 6; 80 are compared"):
            found = compare(one, other)

        self.assertEqual((found.questions, found.only_one, found.only_other), (80, 80, 6))
        self.assertEqual({one.test_language for one in found.differences}, {"es"})
        self.assertIn("80 more were asked by one alone, 6 by the other alone", str(found))

    def test_what_is_compared_can_be_chosen(self):
        both = [load_run(self.evaluated(name, [*asked(level), *asked(level, mode="batch", size=10)]))
                for name, level in (("one", 0.3), ("other", 0.5))]

        found = compare(*both, mode="batch", size=[10, 100], metric="locality", test_language="de", edit_language="en")

        self.assertEqual([(one.scope, one.metric, one.test_language) for one in found.differences],
                         [("batch of 10", "locality", "de")])
        self.assertEqual(found.questions, COUNT)

    def test_different_questions_are_refused(self):
        one = load_run(self.evaluated("one", asked(0.3)))
        for told, lines in (
                ("record 3, en → es, reliability: another prompt",
                 [line | dict(prompt="Other?") if line["record"] == 3 else line for line in asked(0.3)]),
                ("no question in common; of what is to be compared they ask 160 and 160 that have 'score'",
                 asked(0.3, mode="batch", size=10))):
            other = load_run(self.evaluated("other", lines))
            with self.assertRaisesRegex(DifferentQuestionsError, told):
                compare(one, other)
        other = load_run(self.evaluated("zsre", asked(0.3), benchmark="zsre"))
        with self.assertRaisesRegex(DifferentQuestionsError, "asks mzsre, .* zsre"):
            compare(one, other)

    def test_other_prompts_are_compared_where_questions_are_known_to_be_the_same(self):
        def lines(prompt, question="Who?"):
            return [prediction(record, score, prompt=f"{prompt} {record}", question=question, target="Rom")
                    for record, score in enumerate(scores(8, 0.5))]

        one, other = load_run(self.evaluated("one", lines("X"))), load_run(self.evaluated("other", lines("Y")))

        with self.assertRaisesRegex(DifferentQuestionsError, 'another prompt .prompts="any"'):
            compare(one, other)
        self.assertEqual(compare(one, other, prompts="any").questions, 8)
        other = load_run(self.evaluated("other", lines("Y", "Where?")))
        with self.assertRaisesRegex(DifferentQuestionsError, "record 0, en → es, reliability: another question or"):
            compare(one, other, prompts="any")
        with self.assertRaisesRegex(ValueError, "expected \"same\" or \"any\", found 'all'"):
            compare(one, other, prompts="all")

    def test_prompts_without_questions_need_the_same_data(self):
        def run(name, prompt, digest=DIGEST, path="/data/mzsre/edits_enes.json"):
            keys = dict(benchmark="mzsre", data="/data/mzsre")
            folder = self.evaluated(name, [prediction(record, 0.5, prompt=prompt) for record in range(4)], keys=keys)
            write_run(folder, {"01-evaluate": keys}, name=name, inputs={path: digest, "/models/a/config.json": name})
            return load_run(folder)

        one = run("one", "X")

        self.assertEqual(compare(one, run("other", "Y"), prompts="any").questions, 4)
        with self.assertRaisesRegex(DifferentQuestionsError, "edits_enes.json has other contents: SHA-256 5f5f"):
            compare(one, run("other", "Y", "00"), prompts="any")
        with self.assertRaisesRegex(DifferentQuestionsError, "nothing tells whether they ask the same"):
            compare(one, run("other", "Y", path="/elsewhere/b.json"), prompts="any")

    def test_a_question_that_comes_twice_is_damage(self):
        run = load_run(self.evaluated("one", [prediction(0, 1.0), prediction(1, 1.0), prediction(0, 0.0)]))

        with self.assertRaisesRegex(DamagedFileError, "line 3: expected a question of its own, found that of line 1"):
            compare(run, run)

    def test_probes_and_kinds_count_as_the_program_counts_them(self):
        # Record 0 has two probes of one kind and one of another, record 1 one of the first.
        def lines(a, b, c, d):
            return [prediction(0, a, "portability.Reasoning", probe=0), prediction(0, b, "portability.Reasoning", probe=1),
                    prediction(0, c, "portability.Subject_Aliasing"), prediction(1, d, "portability.Reasoning")]

        for averaging, value in (("easyedit", 100 * ((0.75 + 0) / 2 + 1) / 2), ("lte", 100 * ((0.75 + 1) / 2 + 0) / 2)):
            keys = dict(averaging=averaging)
            one = load_run(self.evaluated("one", lines(0, 0, 0, 0), keys=keys, rows=[]))
            other = load_run(self.evaluated("other", lines(1, 0.5, 0, 1), keys=keys, rows=[]))

            found = compare(one["01-evaluate"], other["01-evaluate"]).differences

            self.assertEqual([one.metric for one in found],
                             ["portability", "portability.Reasoning", "portability.Subject_Aliasing"])
            self.assertAlmostEqual(found[0].other, value)
            self.assertAlmostEqual(found[1].other, 87.5)
            self.assertEqual((found[0].records, found[0].questions, found[2].p), (2, 4, None))

    def test_other_scores_are_found_by_their_path(self):
        def lines(exact):
            return [prediction(record, 0.5, free=dict(chat=dict(answer="Rom", stopped=True, exact=exact)))
                    for record in range(8)] + [prediction(8, 0.5)]

        one, other = load_run(self.evaluated("one", lines(0.0))), load_run(self.evaluated("other", lines(1.0)))

        found = compare(one, other, score="free.chat.exact")

        self.assertEqual((found.questions, found.differences[0].difference), (8, 100))
        with self.assertRaisesRegex(DamagedFileError, 'line 1: free.chat.answer: expected a number, found "Rom"'):
            compare(one, other, score="free.chat.answer")
        with self.assertRaisesRegex(DifferentQuestionsError, "they ask 0 and 0 that have 'f1'"):
            compare(one, other, score="f1")

    def test_keys_of_recipes_that_differ_are_listed(self):
        recipes = (dict(seed=42, stages=[dict(evaluate=dict(mode="single")), dict(sft=dict(learning_rate=1e-5)),
                                         dict(evaluate=dict(mode="single", retriever=dict(k=1)))]),
                   dict(seed=43, stages=[dict(evaluate=dict(mode="single")), dict(sft=dict(learning_rate=2e-5, lora={})),
                                         dict(evaluate=dict(mode="single", retriever=dict(k=4)))]))
        runs = []
        for name, recipe in zip(("one", "other"), recipes):
            write_evaluation(self.root / name / "01-evaluate", asked(0.5))
            write_run(self.root / name, {"01-evaluate": {}}, name=name, recipe=recipe)
            runs.append(load_run(self.root / name))

        wanted = [("seed", 42, 43), ("sft.learning_rate", 1e-5, 2e-5), ("evaluate[2].retriever.k", 1, 4),
                  ("sft.lora", None, {})]
        self.assertEqual([(one.key, one.one, one.other) for one in recipe_differences(*runs)], wanted)
        self.assertIn("Keys of the recipes that differ: seed: 42 | 43; sft.learning_rate: 1e-05 | 2e-05",
                      str(compare(*runs)))

    def test_the_table_says_what_was_compared(self):
        one, other = load_run(self.evaluated("one", asked(0.3))), load_run(self.evaluated("other", asked(0.6)))

        text = str(compare(one, other, test_language="es"))

        self.assertIn("one: one, 01-evaluate (before training); other: other, 01-evaluate (before training).", text)
        self.assertRegex(text, r"reliability +single +en → es +40 +\d+\.\d\d +\d+\.\d\d +\+\d+\.\d\d\* +\+\d+\.\d\d … ")
        self.assertIn("Over the 80 questions that both asked of mzsre", text)


if __name__ == "__main__":
    unittest.main()
