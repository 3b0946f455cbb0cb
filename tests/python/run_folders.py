"""Small folders of runs, written by hand, as the tests of this folder share them."""

import json
import math
import pathlib
import shutil
import sys
import tempfile
import unittest
import warnings

PYTHON = pathlib.Path(__file__).resolve().parents[2] / "python"
sys.path.insert(0, str(PYTHON))

DIGEST = "5f" * 32
METRICS = ("reliability", "generality", "locality", "portability")


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def prediction(record, score, metric="reliability", edit="en", test="es", mode="single", size=1, probe=0, **more):
    """A line of predictions.jsonl."""
    prompt = f"{metric} {probe} of record {record} in {test}, {mode}?"
    return dict(record=record, phase="after", mode=mode, size=size, edit_language=edit, test_language=test,
                metric=metric, probe=probe, prompt=prompt, target_ids=[record, 7], predicted_ids=[record, 8],
                score=score, retrieved=None) | more


def result(metric="reliability", value=50.0, n=4, edit="en", test="es", mode="single", size=1, benchmark="mzsre", **more):
    """A row of results.json."""
    return dict(benchmark=benchmark, phase="after", mode=mode, size=size, edit_language=edit, test_language=test,
                metric=metric, value=value, n=n, low=None, high=None, method="xkde", batch=1, records=n, order="file",
                seed=None, run_seed=42) | more


def results_of(predictions, half_width=None, **more):
    """The rows of predictions with one probe a record."""
    groups = {}
    for line in predictions:
        key = (line["metric"], line["edit_language"], line["test_language"], line["mode"], line["size"])
        groups.setdefault(key, []).append(line["score"])
    rows = []
    for (metric, edit, test, mode, size), scores in groups.items():
        value = round(100 * math.fsum(scores) / len(scores), 2)
        bounds = {} if half_width is None else dict(low=value - half_width, high=value + half_width)
        rows.append(result(metric, value, len(scores), edit, test, mode, size, **bounds) | more)
    return rows


def write_evaluation(folder, predictions, rows=None, **more):
    write_json(folder / "results.json", results_of(predictions, **more) if rows is None else rows)
    write_lines(folder / "predictions.jsonl", predictions)
    write_lines(folder / "answers.jsonl", [dict(predicted_ids=[1], target_ids=[2])])
    write_lines(folder / "metrics.jsonl", [dict(chunk=0, kind="prompts", prompts=4, tokens=80, seconds=0.5)])
    write_json(folder / "statistics.json", dict(used={}, skipped={}, questions=len(predictions)))
    write_json(folder / "cost.json", dict(ranks=1, edits=4, seconds_per_edit=None,
                                          answers=dict(prompts=dict(prompts=4, tokens=80, seconds=0.5))))
    (folder / "DONE").write_text("")


def write_training(folder, steps=12):
    lines = [dict(step=step, epoch=step / steps, loss=4.0 * 0.9 ** step, learning_rate=1e-5, tokens=800)
             for step in range(1, steps + 1)]
    write_lines(folder / "metrics.jsonl", lines)
    (folder / "DONE").write_text("")


def write_run(folder, stages, name="tiny", exit_reason="done", recipe=None, **more):
    """run.json. `stages`: names of folders, with the keys of their stage in the recipe."""
    recipe = dict(run_name=name, seed=42, output_dir=str(folder), stages=[
        {stage.split("-", 1)[1]: keys} for stage, keys in stages.items()]) | (recipe or {})
    write_json(folder / "run.json", dict(run_name=name, recipe=recipe, exit_reason=exit_reason, stages=list(stages),
                                         inputs={"/data/mzsre/edits_enes.json": DIGEST}, start="2026-01-01T00:00:00Z",
                                         end="2026-01-01T01:00:00Z", seed=42) | more)


def scores(count, level, salt=0):
    """`count` scores in [0, 1] around `level` that look drawn."""
    return [min(1.0, max(0.0, level + 0.35 * math.sin(12.9898 * (place + 1) + salt))) for place in range(count)]


class RunFoldersTest(unittest.TestCase):
    """A folder `root` for each test. Warnings that a test does not expect are errors."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="xkde_results_"))
        self.addCleanup(shutil.rmtree, self.root)
        caught = warnings.catch_warnings()
        caught.__enter__()
        self.addCleanup(caught.__exit__, None, None, None)
        warnings.simplefilter("error")

    def evaluated(self, name, predictions, keys=None, **more):
        """A run of one evaluation."""
        write_evaluation(self.root / name / "01-evaluate", predictions, **more)
        write_run(self.root / name, {"01-evaluate": dict(benchmark="mzsre", data="data/mzsre", method="xkde") | (keys or {})},
                  name=name)
        return self.root / name
