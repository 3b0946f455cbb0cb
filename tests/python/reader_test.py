#!/usr/bin/env python3
"""The reader of xkde_results on runs written by hand: whole ones, parts of runs, damaged files."""

import json
import shutil
import subprocess
import sys
import unittest
import warnings

from run_folders import (PYTHON, RunFoldersTest, prediction, result, write_evaluation, write_json, write_lines, write_run,
                         write_training)

import xkde_results
from xkde_results import DamagedFileError, IncompleteRunWarning, NotARunError, PublishedValue, load_run, load_runs

STAGES = {"01-evaluate": dict(benchmark="mzsre"), "02-build_data": {}, "03-sft": dict(learning_rate=1e-5),
          "04-evaluate": dict(benchmark="mzsre"), "05-quantize": dict(type="Q4_0"), "06-evaluate": dict(method="lte")}


class Reader(RunFoldersTest):
    def setUp(self):
        super().setUp()
        self.run = self.root / "tiny"
        lines = [prediction(record, record / 4) for record in range(4)]
        for stage, method in (("01-evaluate", "xkde"), ("04-evaluate", "xkde"), ("06-evaluate", "lte")):
            write_evaluation(self.run / stage, lines, method=method)
        write_json(self.run / "02-build_data/statistics.json", dict(used=12))
        write_training(self.run / "03-sft")
        for stage in ("02-build_data", "05-quantize"):
            (self.run / stage).mkdir(exist_ok=True)
            (self.run / stage / "DONE").write_text("")
        write_run(self.run, STAGES)

    def test_edits_that_were_written_and_not_taken_back_are_named(self):
        run = self.root / "edited"
        stages = {"01-edit": dict(method="memit"), "02-evaluate": {}, "03-edit": dict(revert=True), "04-evaluate": {}}
        for stage in ("02-evaluate", "04-evaluate"):
            write_evaluation(run / stage, [prediction(0, 1.0)])
        for stage in ("01-edit", "03-edit"):
            (run / stage).mkdir()
            (run / stage / "DONE").write_text("")
        write_run(run, stages)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            labels = [stage.label for stage in load_run(run).evaluations]
        self.assertEqual(labels, ["edits by memit", "before training"])

    def test_a_whole_run_is_read_without_a_warning(self):
        run = load_run(self.run)

        self.assertEqual((run.name, run.exit_reason, run.is_finished, run.missing), ("tiny", "done", True, []))
        self.assertEqual([stage.name for stage in run.stages], list(STAGES))
        self.assertEqual([stage.label for stage in run.evaluations],
                         ["before training", "XE-IT", "XE-IT + Q4_0, lte"])
        self.assertEqual(run["03-sft"].keys, dict(learning_rate=1e-5))
        self.assertEqual([line["step"] for line in run["03-sft"].metrics], list(range(1, 13)))
        self.assertEqual(run["02-build_data"].statistics, dict(used=12))
        evaluation = run["04-evaluate"]
        self.assertEqual((evaluation.results[0].value, evaluation.results[0].n), (37.5, 4))
        self.assertEqual([line["score"] for line in evaluation.predictions()], [0, 0.25, 0.5, 0.75])
        self.assertEqual(list(evaluation.answers()), [dict(predicted_ids=[1], target_ids=[2])])
        self.assertEqual(evaluation.cost["ranks"], 1)
        with self.assertRaisesRegex(KeyError, "no stage 07-sft; there are 01-evaluate, 02-build_data"):
            run["07-sft"]

    def test_every_field_of_a_row_is_read(self):
        row = dict(benchmark="mzsre", phase="before", mode="sequential", size=10, edit_language="en", test_language="zh",
                   metric="portability.Reasoning", value=12.5, n=8, low=1.25, high=30, method="ike",
                   eval_when="at_sizes", batch=2, records=8, order="drawn", seed=None, run_seed=3, seeds=2, spread=1.5,
                   published=[dict(value=99.93, paper="X", model="M", mark="paper*")], later="a new field")
        write_json(self.run / "04-evaluate/results.json", [row, result(value=None, n=0)])

        found, empty = load_run(self.run)["04-evaluate"].results

        self.assertEqual(found.as_dict(), row)
        self.assertEqual(found.extra, dict(later="a new field"))
        self.assertEqual(found.published, (PublishedValue(99.93, "X", "M", "paper*"),))
        self.assertEqual(found.pair, "en → zh")
        self.assertIsNone(empty.value)

    def test_stages_that_run_json_does_not_name_are_not_read(self):
        shutil.copytree(self.run / "01-evaluate", self.run / "07-evaluate")
        shutil.copytree(self.run / "01-evaluate", self.run / "03-sft.old-1")

        self.assertEqual([stage.name for stage in load_run(self.run).stages], list(STAGES))

    def test_a_run_json_without_stages_takes_the_numbers_of_the_recipe(self):
        record = json.loads((self.run / "run.json").read_text())
        del record["stages"]
        write_json(self.run / "run.json", record)

        self.assertEqual([stage.name for stage in load_run(self.run).stages], list(STAGES))

    def test_a_run_in_part_deleted_is_read_as_far_as_it_is_there(self):
        (self.run / "04-evaluate/predictions.jsonl").unlink()
        (self.run / "04-evaluate/cost.json").unlink()
        shutil.rmtree(self.run / "03-sft")

        with self.assertWarns(IncompleteRunWarning) as caught:
            run = load_run(self.run)

        self.assertEqual(run.missing, ["03-sft", "04-evaluate/predictions.jsonl", "04-evaluate/cost.json"])
        self.assertIn("missing: 03-sft, 04-evaluate/predictions.jsonl, 04-evaluate/cost.json", str(caught.warning))
        self.assertEqual(caught.filename, __file__)
        self.assertEqual(run["04-evaluate"].results[0].value, 37.5)
        self.assertIsNone(run["04-evaluate"].cost)
        self.assertEqual(len(run.evaluations), 3)

    def test_a_killed_run_is_read_up_to_its_torn_line(self):
        metrics = self.run / "03-sft/metrics.jsonl"
        metrics.write_bytes(metrics.read_bytes()[:-20])
        (self.run / "03-sft/DONE").unlink()
        for stage in ("04-evaluate", "05-quantize", "06-evaluate"):
            shutil.rmtree(self.run / stage)
        write_run(self.run, STAGES, exit_reason="running")

        with self.assertWarnsRegex(IncompleteRunWarning, r"exit reason: running\); missing: 03-sft/DONE, "
                                   "03-sft/metrics.jsonl from line 12, 04-evaluate"):
            run = load_run(self.run)

        self.assertFalse(run.is_finished)
        self.assertEqual(len(run["03-sft"].metrics), 11)
        self.assertEqual([stage.label for stage in run.evaluations], ["before training"])

    def test_a_stopped_run_with_all_its_files_is_warned_of_as_well(self):
        write_run(self.run, STAGES, exit_reason="stopped on request")

        with self.assertWarnsRegex(IncompleteRunWarning, "stopped on request.*nothing is missing"):
            load_run(self.run)

    def test_damaged_files_are_named_with_place_expected_and_found(self):
        row, line = result(), prediction(0, 1.0)
        results, predictions = "04-evaluate/results.json", "04-evaluate/predictions.jsonl"

        def text(value):
            return json.dumps(value).encode()

        for name, data, told in (
                ("run.json", b"[]", r"run.json: expected an object, found \[\]"),
                ("run.json", b'{"stages": ["../../etc"]}', r'stages: expected names such as 01-sft, found "../../etc"'),
                ("run.json", b'{"stages": ["01-../x"]}', "stages: expected names such as 01-sft"),
                ("run.json", b'{"run_name": 3}', "run_name: expected a string, found 3"),
                ("run.json", b'{"recipe": {"stages": [{}]}}', "recipe.stages: expected a stage with its keys, found {}"),
                (results, b"{}", "results.json: expected a list, found {}"),
                (results, b'[{"benchmark": ', r"results.json: line 1, column \d+: expected JSON, found"),
                (results, text([row, 7]), "row 1: expected an object, found 7"),
                (results, text([row | dict(n="four")]), 'row 0: n: expected an integer, found "four"'),
                (results, text([row | dict(n=True)]), "row 0: n: expected an integer, found true"),
                (results, text([row | dict(value=None)]), "row 0: value: expected a number, found null"),
                (results, text([{key: row[key] for key in row if key != "metric"}]),
                 "row 0: metric: expected a string, found nothing"),
                (results, text([row | dict(published=[dict(value=1)])]), "row 0: published: paper: expected a string"),
                (results, text([row | dict(value=float("nan"))]), "expected JSON, found NaN"),
                (results, b"[" * 100_000, "expected JSON"),
                (results, b'[{"benchmark": "\xff"}]', "byte 16: expected UTF-8"),
                ("04-evaluate/cost.json", b"3", "cost.json: expected an object, found 3"),
                ("03-sft/metrics.jsonl", b'{"step": 1}\n{"step', "metrics.jsonl: line 2, column"),
                (predictions, text(line) + b"\n[]\n", r"predictions.jsonl: line 2: expected an object, found \[\]"),
                (predictions, text(line | dict(score="1")), 'line 1: score: expected a number, found "1"'),
                (predictions, text({"record": 1}), "line 1: mode: expected a string, found nothing")):
            with self.subTest(told=told):
                whole = (self.run / name).read_bytes()
                (self.run / name).write_bytes(data)
                with self.assertRaisesRegex(DamagedFileError, told) as caught:
                    list(load_run(self.run)["04-evaluate"].predictions())
                self.assertTrue(caught.exception.file.endswith(name))
                (self.run / name).write_bytes(whole)

    def test_a_folder_without_run_json_is_no_run(self):
        with self.assertRaisesRegex(NotARunError, "expected the folder of a run, found no run.json in it"):
            load_run(self.root)

    def test_runs_of_one_name_are_told_apart(self):
        other = self.root / "other"
        shutil.copytree(self.run, other)

        runs = load_runs(self.run, other)

        self.assertEqual([run.name for run in runs], [f"tiny ({self.run})", f"tiny ({other})"])
        self.assertEqual({stage.run_name for stage in runs[1].stages}, {f"tiny ({other})"})

    def test_rows_are_plain_dicts(self):
        runs = load_runs(self.run)

        rows = xkde_results.result_rows(runs)
        self.assertEqual(rows[1] | dict(published=[]), dict(run="tiny", stage="04-evaluate", evaluation="XE-IT")
                         | load_run(self.run)["04-evaluate"].results[0].as_dict())
        self.assertEqual(xkde_results.result_rows(runs[0]["04-evaluate"]), rows[1:2])
        self.assertEqual(xkde_results.metric_rows(runs)[11]["step"], 12)
        self.assertEqual(xkde_results.cost_rows(runs)[0]["answers.prompts.tokens"], 80)

    def test_frames_have_the_rows(self):
        try:
            import pandas  # noqa: F401
        except ImportError:
            self.skipTest("pandas is not installed")
        run = load_run(self.run)

        frame = xkde_results.results_frame(run)
        self.assertEqual(list(frame["value"]), [37.5] * 3)
        self.assertEqual(frame["evaluation"].tolist(), [stage.label for stage in run.evaluations])
        self.assertEqual(xkde_results.metrics_frame(run)["loss"].iloc[-1], 4.0 * 0.9 ** 12)
        self.assertEqual(xkde_results.costs_frame(run)["ranks"].sum(), 3)
        write_lines(self.run / "04-evaluate/predictions.jsonl",
                    [prediction(0, 1.0, free=dict(chat=dict(answer="Rom", exact=0.0)))])
        self.assertEqual(xkde_results.predictions_frame(run["04-evaluate"])["free.chat.exact"].tolist(), [0.0])

    def test_without_libraries_everything_is_read_and_frames_and_figures_say_what_they_lack(self):
        script = """if True:
            import sys
            for name in ("pandas", "matplotlib", "numpy"):
                sys.modules[name] = None
            import xkde_results
            run = xkde_results.load_run(sys.argv[1])
            print(len(xkde_results.result_rows(run)))
            print(xkde_results.compare(run["01-evaluate"], run["04-evaluate"]).questions)
            for call in (xkde_results.results_frame, xkde_results.training_curve):
                try:
                    call(run)
                except ImportError as error:
                    print(error)
        """
        result = subprocess.run([sys.executable, "-B", "-c", script, str(self.run)], cwd=PYTHON, capture_output=True,
                                text=True)

        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout.splitlines(), [
            "3", "4", "pandas is needed for this and is not installed: pip install pandas, or xkde-results[pandas]",
            "matplotlib is needed for this and is not installed: pip install matplotlib, or xkde-results[plots]"])


if __name__ == "__main__":
    unittest.main()
