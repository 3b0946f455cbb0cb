#!/usr/bin/env python3
"""xkde_results on what the program writes: every stage that leaves results, on a tiny random model.

usage: results_run_test.py XKDE_DIST_BINARY
"""

import csv
import json
import os
import pathlib
import shutil
import sys
import unittest
import warnings

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "launch"), str(TESTS.parent / "python")]

from tiny_run import TinyRunTest, write_model  # noqa: E402  (found by the line above)
from watching import count_lines, kill_when  # noqa: E402

import xkde_results  # noqa: E402
from xkde_results import DifferentQuestionsError, IncompleteRunWarning, compare, load_run  # noqa: E402
from xkde_results.tracked import Rows  # noqa: E402

RECIPE = f"""\
run_name: tiny
output_dir: {{out}}
seed: 7
logging_steps: 100
model: {{{{model_name_or_path: {{root}}/even, dtype: float32, chat_template: chatml_no_system}}}}
parallel: {{{{threads: 1}}}}
stages:
  - capability:
      perplexity: [{{{{data: {{root}}/text.txt, lang: de}}}}]
      choices: [{{{{data: {{root}}/choices.jsonl, name: quiz}}}}]
  - evaluate: &batches
      benchmark: mzsre
      data: {{root}}/edits_enes.json
      edit_languages: [en]
      test_languages: [es, en]
      records: "4:20"
      mode: batch
      sizes: [1, 8]
      retriever: {{{{model_name_or_path: {TESTS}/golden/encoders/bert, k: 2}}}}
      extra_metrics: [exact, f1, fluency]
      free_answers: {{{{contexts: [question], max_new_tokens: 4}}}}
      bootstrap_resamples: 200
  - build_data:
      sources:
        - {{{{benchmark: mzsre, data: {{root}}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "0:4"}}}}
  - sft: {{{{global_batch_size: 5, max_steps: 6, learning_rate: 1.0e-2}}}}
  - sample: {{{{num_return_sequences: 4, max_new_tokens: 8}}}}
  - rank: {{{{}}}}
  - orpo: {{{{global_batch_size: 4, max_steps: 2, learning_rate: 1.0e-3}}}}
  - evaluate: *batches
  - evaluate:
      benchmark: mzsre
      data: {{root}}/edits_enes.json
      edit_languages: [en]
      test_languages: [es]
      records: "8:20"
      mode: sequential
      sizes: [6]
      seeds: [1, 2]
      by_age: true
      retriever: {{{{model_name_or_path: {TESTS}/golden/encoders/bert, k: 1}}}}
  - edit: {{{{benchmark: mzsre, data: {{root}}/edits_enes.json, edit_languages: [en], records: "12:14", method: ft_l}}}}
  - quantize: {{{{type: Q8_0}}}}
  - evaluate: {{{{benchmark: mzsre, data: {{root}}/edits_enes.json, edit_languages: [en], test_languages: [es], records: "12:20", method: ike}}}}
"""
STAGES = ["01-capability", "02-evaluate", "03-build_data", "04-sft", "05-sample", "06-rank", "07-orpo", "08-evaluate",
          "09-evaluate", "10-edit", "11-quantize", "12-evaluate"]


class ResultsRun(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_model(f"{cls.root}/even", inner=64, heads=4)  # rows of whole blocks, which quantize needs
        with open(f"{cls.root}/even/tokenizer_config.json", "w") as file:
            json.dump(dict(bos_token="<|im_start|>", eos_token="<|im_end|>"), file)
        with open(f"{cls.root}/text.txt", "w") as file:
            file.write("the river is new\n\nred and blue in the city\n")
        with open(f"{cls.root}/choices.jsonl", "w") as file:
            file.writelines(json.dumps(dict(id=i, lang="en", context="which city", choices=["red", "blue"], answer=i % 2))
                            + "\n" for i in range(4))
        case = cls("test_every_field_of_every_row_is_read")
        case.checked([case.recipe("run", RECIPE), "report_to=[tensorboard]"])
        cls.folder = pathlib.Path(cls.root) / "run"

    def setUp(self):
        caught = warnings.catch_warnings()
        caught.__enter__()
        self.addCleanup(caught.__exit__, None, None, None)
        warnings.simplefilter("error")

    def copy(self, name):
        """The run again, for a test that takes something away."""
        folder = pathlib.Path(self.root) / name
        shutil.copytree(self.folder, folder)
        return folder

    def test_a_finished_run_lacks_nothing(self):
        run = load_run(self.folder)

        self.assertEqual((run.name, run.is_finished, run.missing), ("tiny", True, []))
        self.assertEqual([stage.name for stage in run.stages], STAGES)
        self.assertEqual({stage.kind: stage.is_complete for stage in run.stages},
                         {name[3:]: True for name in STAGES})
        self.assertEqual([line["step"] for line in run["04-sft"].metrics], [1, 2, 3, 4, 5, 6])
        self.assertEqual(len(list(run["05-sample"].lines("samples.jsonl"))), 12)
        self.assertEqual(run["08-evaluate"].keys["benchmark"], "mzsre")
        self.assertEqual(run["08-evaluate"].cost["ranks"], 1)
        self.assertGreater(run["08-evaluate"].statistics["questions"], 0)
        self.assertTrue(all("predicted_ids" in one or "text" in one for one in run["08-evaluate"].answers()))

    def test_every_field_of_every_row_is_read(self):
        fields = set()
        for stage in load_run(self.folder).evaluations:
            written = json.loads((self.folder / stage.name / "results.json").read_text(encoding="utf-8"))
            self.assertEqual(len(stage.results), len(written))
            for row, item in zip(stage.results, written):
                self.assertEqual(row.extra, {}, "a field that ResultRow does not know")
                self.assertEqual({key: row.as_dict()[key] for key in item}, item)
                fields |= {key for key, value in item.items() if value is not None}
        self.assertEqual({"benchmark", "phase", "mode", "size", "edit_language", "test_language", "metric", "value", "n",
                          "low", "high", "method", "eval_when", "batch", "records", "order", "seed", "run_seed", "seeds",
                          "spread"}, fields)

    def test_evaluations_are_called_as_the_programs_reports_call_them(self):
        with open(self.folder / "results.csv", newline="", encoding="utf-8") as file:
            names = {row["stage"]: row["evaluation"] for row in csv.DictReader(file)}

        self.assertEqual({stage.name: stage.label for stage in load_run(self.folder).evaluations}, names)

    def test_rows_that_are_tested_have_the_programs_values(self):
        """Over all questions compare() has to find the values of results.json, whatever is scored."""
        stage = load_run(self.folder)["08-evaluate"]
        rows = {(row.size, row.test_language, row.metric): row for row in stage.results}
        for score, prefix in (("score", ""), ("f1", "f1."), ("free.question.chrf", "free.question.chrf.")):
            found = [one for one in compare(stage, stage, score=score, resamples=100).differences if one.test_language]
            self.assertEqual(len(found), 2 * 2 * 4)
            for one in found:
                row = rows[one.size, one.test_language, prefix + one.metric]
                self.assertEqual((round(one.one, 2), one.records), (row.value, row.n), row)

    def test_before_and_after_are_compared(self):
        run = load_run(self.folder)

        found = compare(run["02-evaluate"], run["08-evaluate"], resamples=200)

        self.assertEqual((found.only_one, found.only_other), (0, 0))
        self.assertEqual(found.questions, sum(1 for _ in run["08-evaluate"].predictions()))
        self.assertTrue(any(one.difference for one in found.differences))
        with self.assertRaisesRegex(DifferentQuestionsError, "no question in common"):
            compare(run["08-evaluate"], run["12-evaluate"])

    def test_other_prompts_for_the_same_data_are_known_by_run_json(self):
        text = RECIPE[:RECIPE.index("  - capability")] + RECIPE[RECIPE.index("  - evaluate: {{benchmark"):]
        runs = []
        for name, method in (("ike", "ike"), ("lte", "lte"), ("other", "lte")):
            data = [] if name != "other" else [f"evaluate.data={self.root}/elsewhere/edits_enes.json"]
            if data:
                os.mkdir(f"{self.root}/elsewhere")
                other = json.loads(pathlib.Path(f"{self.root}/edits_enes.json").read_text()) + self.records[:1]
                pathlib.Path(f"{self.root}/elsewhere/edits_enes.json").write_text(json.dumps(other))
            self.checked([self.recipe(name, text), f"evaluate.method={method}", *data])
            runs.append(load_run(f"{self.root}/{name}"))

        with self.assertRaisesRegex(DifferentQuestionsError, "another prompt"):
            compare(runs[0], runs[1])
        found = compare(runs[0], runs[1], prompts="any", resamples=200)
        self.assertEqual([(one.key, one.one, one.other) for one in found.recipe if one.key == "evaluate.method"],
                         [("evaluate.method", "ike", "lte")])
        compare(runs[0], runs[2], prompts="any", resamples=200)  # the questions that both have are the same
        # Older runs do not tell their questions: there the files must be the same.
        for run in (runs[0], runs[2]):
            for file in run.folder.glob("*/predictions.jsonl"):
                lines = [json.loads(line) for line in file.read_text().splitlines()]
                file.write_text("".join(json.dumps({key: value for key, value in line.items() if key != "question"}) + "\n"
                                        for line in lines))
        with self.assertRaisesRegex(DifferentQuestionsError, "edits_enes.json has other contents"):
            compare(load_run(runs[0].folder), load_run(runs[2].folder), prompts="any")

    def test_trackers_get_the_names_of_the_event_files(self):
        stages = {}
        for row in Rows(load_run(self.folder)):
            stage = row.file.split("/")[0]
            stages.setdefault(stage, set()).update(name.removeprefix(f"{stage}/") for name in row.values)

        for stage, one in (("04-sft", "train/loss"), ("07-orpo", "train/rewards/accuracies"), ("08-evaluate", "reliability/en-es"),
                           ("09-evaluate", "reliability/en-es")):
            events = b"".join(file.read_bytes() for file in (self.folder / stage).glob("events.out.tfevents.*"))
            self.assertIn(one, stages[stage])
            for name in stages[stage]:
                if not name.startswith("chunk/"):
                    self.assertIn(name.encode(), events)

    def test_tables_take_real_rows(self):
        table = xkde_results.paper_table(load_run(self.folder), mode="batch", size=8, bold="paired", resamples=200)

        self.assertEqual([row[0].text for row in table.rows], ["before training", "XE-IT + TL-PO"])
        self.assertIn(r"\toprule", table.latex())
        seeds = xkde_results.paper_table(load_run(self.folder), mode="sequential")
        self.assertRegex(seeds.rows[0][1].text, r"^\d+\.\d\d ± \d+\.\d\d$")

    def test_a_killed_run_is_read_as_far_as_it_is_there(self):
        metrics = f"{self.root}/killed/02-sft/metrics.jsonl"
        process = self.start([self.recipe("killed"), "sft.max_steps=2000"])
        self.assertTrue(kill_when(process, lambda: count_lines(metrics) >= 3), "the run ended by itself")

        with self.assertWarnsRegex(IncompleteRunWarning, "exit reason: running.*missing: 02-sft/DONE.*, 03-evaluate, 04-export"):
            run = load_run(f"{self.root}/killed")

        self.assertEqual([stage.name for stage in run.stages], ["01-build_data", "02-sft"])
        self.assertGreaterEqual(len(run["02-sft"].metrics), 3)

    def test_any_one_file_may_be_missing(self):
        folder = self.copy("partly")
        for stage in load_run(self.folder).stages:
            for name in ("DONE", "results.json", "predictions.jsonl", "metrics.jsonl", "statistics.json", "cost.json"):
                file = folder / stage.name / name
                if not file.is_file():
                    continue
                data = file.read_bytes()
                file.unlink()
                with self.subTest(file=f"{stage.name}/{name}"), warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    load_run(folder)
                    told = [str(one.message) for one in caught if one.category is IncompleteRunWarning]
                    self.assertEqual(len(told), 1)
                    self.assertTrue(told[0].endswith(f"missing: {stage.name}/{name}"), told[0])
                file.write_bytes(data)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
