#!/usr/bin/env python3
"""What MLflow and Weights & Biases get of runs written by hand, read back by their own means. Nothing touches the network.

What needs mlflow-skinny with sqlalchemy and alembic, wandb or strace skips itself where they are not installed;
launch/setup.sh --tests puts the first two into deps.
"""

import contextlib
import io
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import warnings
from unittest import mock

from run_folders import PYTHON, RunFoldersTest, result, write_evaluation, write_json, write_lines, write_run, write_training

from xkde_results import DamagedFileError, IncompleteRunWarning, TrackerError, load_run, to_mlflow, to_wandb
from xkde_results.__main__ import main
from xkde_results.tracked import Rows, facts, id_of, parameters
from xkde_results.wandb_runs import add_rows

try:
    import alembic, sqlalchemy  # noqa: E401, F401: of MLflow's SQLite store
    import mlflow
except ImportError:
    mlflow = None
try:
    import wandb
    from wandb.proto import wandb_internal_pb2
except ImportError:
    wandb = None

NEEDS_MLFLOW = unittest.skipIf(mlflow is None, "no mlflow: pip install mlflow-skinny sqlalchemy alembic")
NEEDS_WANDB = unittest.skipIf(wandb is None, "wandb is not installed: pip install wandb")
PATIENCE = 120  # seconds
START = 1767225600  # 2026-01-01T00:00:00Z
STAGES = {"01-evaluate": dict(benchmark="mzsre"), "02-sft": dict(learning_rate=1e-5, lora=dict(r=8, target_modules=["all-linear"])),
          "03-evaluate": dict(benchmark="mzsre", records=None), "04-capability": {}}


def training(steps):
    return [dict(step=step, total_steps=9, loss=4 / step, grad_norm=None if step == 2 else 1.5, step_seconds=10,
                 eval_loss=5 / step, note="text", is_last=False) for step in range(1, steps + 1)]


class TrackedRun(RunFoldersTest):
    """A run of four stages, which can be cut short."""

    def setUp(self):
        super().setUp()
        self.folder = self.root / "tiny"
        rows = [result(value=50.0), result(value=60.0, size=10, mode="batch"), result("locality", None, 0),
                result(value=1.0, size=10, mode="batch", seed=3)]
        chunks = [dict(chunk=0, rank=0, kind="prompts", tokens=80, seconds=2), dict(chunk=1, rank=1, kind="prompts",
                                                                                  tokens=90, seconds=3)]
        for stage in ("01-evaluate", "03-evaluate"):
            write_evaluation(self.folder / stage, [], rows=rows)
            write_lines(self.folder / stage / "metrics.jsonl", chunks)
        write_lines(self.folder / "02-sft/metrics.jsonl", training(3))
        (self.folder / "02-sft/DONE").write_text("")
        (self.folder / "02-sft/checkpoints").mkdir()
        (self.folder / "02-sft/checkpoints/weights.h5").write_text("large")
        write_evaluation(self.folder / "04-capability", [], rows=[
            result("perplexity", 12.5, edit="", test="de", size=0, benchmark="texts", mode="perplexity")])
        for name in ("metrics.jsonl", "likelihoods.jsonl"):
            (self.folder / "04-capability" / name).write_text("")
        (self.folder / "report.html").write_text("<p>report")
        self.write()

    def write(self, **more):
        fields = dict(versions=dict(xkde_dist="0.1.0"), git_commit="abc123", ranks=2, first_start="2026-01-01T00:00:00Z")
        write_run(self.folder, STAGES, **fields | more)

    def told(self, words, code):
        """Standard error, or what was printed, of the command."""
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                found = main([str(word) for word in words])
            except SystemExit as end:
                found = end.code
        self.assertEqual(found, code, error.getvalue())
        self.assertNotIn("Traceback", error.getvalue())
        return out.getvalue() if code == 0 else error.getvalue()


class Tracked(TrackedRun):
    def test_figures_have_tensorboards_names_behind_the_stage(self):
        rows = Rows(load_run(self.folder))
        found = {}
        for row in rows:
            for name, value in row.values.items():
                found.setdefault(name, []).append((row.step, value))

        self.assertEqual(found["02-sft/train/loss"], [(1, 4.0), (2, 2.0), (3, 4 / 3)])
        self.assertEqual(found["02-sft/eval/loss"], [(1, 5.0), (2, 2.5), (3, 5 / 3)])
        self.assertEqual(found["02-sft/train/grad_norm"], [(1, 1.5), (3, 1.5)])
        self.assertEqual(found["03-evaluate/chunk/tokens"], [(0, 80), (1, 90)])
        self.assertEqual(found["03-evaluate/reliability/en-es"], [(1, 50.0), (10, 60.0)])
        self.assertEqual(found["04-capability/texts/perplexity/de"], [(0, 12.5)])
        self.assertEqual({name.split("/", 1)[1] for name in found if name.startswith("02")},
                         {"train/loss", "train/grad_norm", "train/step_seconds", "eval/loss"})
        self.assertEqual(rows.left_out, 3)

    def test_times_are_the_first_start_and_the_seconds_of_each_rank(self):
        self.write(start="2026-02-02T00:00:00Z")

        rows = list(Rows(load_run(self.folder)))

        self.assertEqual([(row.file, row.number, row.time - START) for row in rows[:7]],
                         [("01-evaluate/metrics.jsonl", 1, 2), ("01-evaluate/metrics.jsonl", 2, 3),
                          ("01-evaluate/results.json", 1, 3), ("01-evaluate/results.json", 2, 3),
                          ("02-sft/metrics.jsonl", 1, 13), ("02-sft/metrics.jsonl", 2, 23), ("02-sft/metrics.jsonl", 3, 33)])

    def test_keys_are_flat_and_facts_are_those_of_run_json(self):
        run = load_run(self.folder)

        self.assertEqual(parameters(run), {"seed": 42, "evaluate.benchmark": "mzsre", "sft.learning_rate": 1e-5,
                                           "sft.lora.r": 8, "sft.lora.target_modules": ["all-linear"],
                                           "evaluate_2.benchmark": "mzsre", "evaluate_2.records": None, "capability": {}})
        self.assertEqual(facts(run), dict(run_name="tiny", exit_reason="done", git_commit="abc123", version="0.1.0",
                                          ranks="2", first_start="2026-01-01T00:00:00Z", start="2026-01-01T00:00:00Z",
                                          end="2026-01-01T01:00:00Z"))

    def test_the_id_stays_when_a_run_goes_on_or_moves_and_is_another_after_fresh(self):
        first = id_of(load_run(self.folder))
        self.write(start="2026-02-02T00:00:00Z", ranks=8, recipe=dict(seed=43, output_dir=str(self.folder)))
        shutil.move(self.folder, self.root / "moved")
        self.assertEqual(id_of(load_run(self.root / "moved")), first)
        self.folder = self.root / "moved"

        for more in (dict(first_start="2026-01-01T00:00:01Z"), dict(name="other"), dict(recipe=dict(output_dir="other"))):
            self.write(**dict(recipe=dict(output_dir=str(self.root / "tiny"))) | more)
            self.assertNotEqual(id_of(load_run(self.folder)), first, more)

    def test_damaged_times_and_lines_are_named(self):
        self.write(first_start="yesterday")
        with self.assertRaisesRegex(DamagedFileError, 'first_start: expected a time such as .*Z, found "yesterday"'):
            Rows(load_run(self.folder))
        self.write(first_start=None, start=None)
        with self.assertRaisesRegex(DamagedFileError, "run.json: start: expected a time, found nothing"):
            Rows(load_run(self.folder))
        self.write()
        write_lines(self.folder / "02-sft/metrics.jsonl", [dict(step="one")])
        with self.assertRaisesRegex(DamagedFileError, 'metrics.jsonl: line 1: step: expected an integer, found "one"'):
            list(Rows(load_run(self.folder)))


class Command(TrackedRun):
    def test_a_wrong_command_line_is_64(self):
        for words, told in (([], "required: mlflow|wandb"), (["mlflow"], "required: RUN"), (["tensorboard", "x"], "invalid choice"),
                            (["wandb", "--mode", "disabled", "x"], "argument --mode: invalid choice"),
                            (["mlflow", "--project", "p", "x"], "unrecognized arguments")):
            error = self.told(words, 64)
            self.assertIn(told, error)
            self.assertRegex(error, r"^UsageError: [^\n]*\n$")

    def test_what_is_no_run_is_66_and_what_is_damaged_65(self):
        for tracker in ("mlflow", "wandb"):
            self.assertIn("NotARunError: " + str(self.root / "nothing") + ": expected the folder of a run, found no run.json",
                          self.told([tracker, self.folder, self.root / "nothing"], 66))
        write_json(self.folder / "01-evaluate/results.json", {})
        self.assertIn("DamagedFileError", self.told(["mlflow", self.folder], 65))

    def test_a_library_that_is_missing_is_69_and_named(self):
        for tracker in ("mlflow", "wandb"):
            with mock.patch.dict(sys.modules, {tracker: None}):
                self.assertEqual(self.told([tracker, self.folder], 69), f"ImportError: {tracker} is needed for this and is not "
                                 f"installed: pip install {tracker}, or xkde-results[{tracker}]\n")


@NEEDS_MLFLOW
class Mlflow(TrackedRun):
    @classmethod
    def setUpClass(cls):
        """Tables take seconds to make: all tests share a store, where each has an experiment of its own."""
        super().setUpClass()
        cls.store = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="xkde_mlflow_")))
        cls.uri = f"sqlite:///{cls.store}/mlflow.db"
        cls.enterClassContext(mock.patch.dict(os.environ, MLFLOW_DISABLE_TELEMETRY="true"))

    def setUp(self):
        super().setUp()
        warnings.simplefilter("ignore")  # those of MLflow's own libraries
        self.client = mlflow.MlflowClient(tracking_uri=self.uri)
        self.client.create_experiment(self.id(), artifact_location=(self.store / self.id()).as_uri())

    def hand_over(self):
        return to_mlflow(load_run(self.folder), self.uri, self.id())

    def history(self, there, name):
        return [(one.step, one.value) for one in self.client.get_metric_history(there.id, name)]

    def test_all_of_a_run_is_read_back(self):
        there = self.hand_over()

        self.assertEqual((there.is_new, there.left_out, there.changed), (True, 3, ()))
        run = self.client.get_run(there.id)
        self.assertEqual(run.info.run_name, "tiny")
        self.assertEqual((run.info.status, run.info.start_time, run.info.end_time),
                         ("FINISHED", 1000 * START, 1000 * (START + 3600)))
        self.assertEqual(run.data.params["sft.lora.target_modules"], '["all-linear"]')
        self.assertEqual(run.data.params["sft.learning_rate"], "1e-05")
        self.assertEqual((run.data.params["evaluate_2.benchmark"], run.data.params["evaluate_2.records"]), ("mzsre", "null"))
        for key, value in {"xkde.run": id_of(load_run(self.folder)), "xkde.git_commit": "abc123", "xkde.version": "0.1.0",
                           "xkde.exit_reason": "done", "xkde.run_name": "tiny", "mlflow.source.git.commit": "abc123"}.items():
            self.assertEqual(run.data.tags[key], value)
        self.assertEqual(self.history(there, "02-sft/train/loss"), [(1, 4.0), (2, 2.0), (3, 4 / 3)])
        self.assertEqual(self.history(there, "03-evaluate/reliability/en-es"), [(1, 50.0), (10, 60.0)])
        stamps = [one.timestamp for one in self.client.get_metric_history(there.id, "02-sft/train/loss")]
        self.assertEqual(stamps, [1000 * (START + seconds) for seconds in (13, 23, 33)])
        self.assertEqual(there.values, sum(len(row.values) for row in Rows(load_run(self.folder))))
        kept = self.store / self.id() / there.id / "artifacts"
        self.assertEqual(sorted(str(file.relative_to(kept)) for file in kept.rglob("*") if file.is_file()),
                         ["01-evaluate/results.json", "03-evaluate/results.json", "04-capability/results.json",
                          "report.html", "run.json"])

    def test_a_run_that_goes_on_goes_on_there(self):
        with open(self.folder / "02-sft/metrics.jsonl", "a", encoding="utf-8") as file:
            file.write('{"step": 4, "lo')
        (self.folder / "02-sft/DONE").unlink()
        for stage in ("03-evaluate", "04-capability"):
            shutil.move(self.folder / stage, self.root / stage)
        self.write(exit_reason="running", end=None)
        first = self.hand_over()
        self.assertEqual(self.client.get_run(first.id).info.status, "RUNNING")
        self.assertEqual(self.history(first, "02-sft/train/loss"), [(1, 4.0), (2, 2.0), (3, 4 / 3)])

        write_lines(self.folder / "02-sft/metrics.jsonl", training(5))
        (self.folder / "02-sft/DONE").write_text("")
        for stage in ("03-evaluate", "04-capability"):
            shutil.move(self.root / stage, self.folder / stage)
        self.write(start="2026-01-02T00:00:00Z", ranks=4, recipe=dict(output_dir=str(self.folder), logging_steps=7, seed=43))
        second, third = self.hand_over(), self.hand_over()

        self.assertEqual((first.is_new, second.is_new, second.id, third.id), (True, False, first.id, first.id))
        self.assertEqual((second.changed, third.values), (("seed",), 0))
        self.assertIn("1 keys keep their first values: seed", str(second))
        self.assertEqual([step for step, _ in self.history(first, "02-sft/train/loss")], [1, 2, 3, 4, 5])
        self.assertEqual(self.history(first, "03-evaluate/reliability/en-es"), [(1, 50.0), (10, 60.0)])
        run = self.client.get_run(first.id)
        self.assertEqual((run.info.status, run.data.tags["xkde.exit_reason"], run.data.tags["xkde.ranks"]), ("FINISHED", "done", "4"))
        self.assertEqual((run.data.params["seed"], run.data.params["logging_steps"]), ("42", "7"))

    def test_how_a_run_ended_is_told(self):
        for reason, status in (("stopped on request", "KILLED"), ("interrupted", "KILLED"), ("error: no memory", "FAILED")):
            self.write(exit_reason=reason, end=None)
            self.assertEqual(self.client.get_run(self.hand_over().id).info.status, status)

    def test_more_than_a_call_takes_and_longer_than_it_takes(self):
        languages = [f"l{number}" for number in range(1100)]
        write_json(self.folder / "03-evaluate/results.json", [result(value=1.0, test=language) for language in languages])
        write_lines(self.folder / "02-sft/metrics.jsonl", training(300))
        write_evaluation(self.folder / "04-capability", [], rows=[
            result("perplexity", 1.0, edit="", test="de", size=0, benchmark="τ(x) " + "y" * 300, mode="perplexity")])
        keys = {f"key{number}": number for number in range(250)} | dict(long="z" * 9000)
        self.write(recipe=dict(output_dir=str(self.folder), model=keys), exit_reason="error: " + "e" * 9000)

        there = self.hand_over()

        run = self.client.get_run(there.id)
        self.assertEqual(sum(key.startswith("03-evaluate/reliability/en-l") for key in run.data.metrics), 1100)
        self.assertEqual(len(self.history(there, "02-sft/train/loss")), 300)
        self.assertEqual(run.data.params["model.key249"], "249")
        self.assertEqual((len(run.data.params["model.long"]), run.data.params["model.long"][-1]), (6000, "…"))
        (name,) = [key for key in run.data.metrics if "_x_" in key]
        self.assertEqual(name, "04-capability/τ_x_ " + "y" * 230 + "_")
        self.assertEqual(len(run.data.tags["xkde.exit_reason"]), 5000)

    def test_what_breaks_off_is_gone_on_with(self):
        write_lines(self.folder / "02-sft/metrics.jsonl", training(600))
        log_batch, calls = mlflow.MlflowClient.log_batch, []

        def failing(client, run_id, metrics=(), **more):
            calls.append(len(metrics))
            if sum(size > 0 for size in calls) == 2:
                raise mlflow.MlflowException("the connection broke\noff")
            return log_batch(client, run_id, metrics=metrics, **more)

        with mock.patch.object(mlflow.MlflowClient, "log_batch", failing):
            with self.assertRaisesRegex(TrackerError, r"MLflow at sqlite.*: the connection broke off$"):
                self.hand_over()
        there = self.hand_over()

        self.assertFalse(there.is_new)
        self.assertLess(there.values, 600 * 4)
        self.assertEqual([step for step, _ in self.history(there, "02-sft/train/loss")], list(range(1, 601)))

    def test_addresses_that_do_not_work_are_69_in_one_line_without_a_password(self):
        for uri in ("nope://somewhere", "http://someone:secret@127.0.0.1:9"):
            with mock.patch.dict(os.environ, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"):
                error = self.told(["mlflow", self.folder, "--uri", uri], 69)
            self.assertRegex(error, r"^TrackerError: MLflow at (nope|http)://[^\n]*\n$")
            self.assertNotIn("secret", error)

    def test_the_command_says_what_it_did(self):
        out = self.told(["mlflow", self.folder, "--uri", self.uri, "--experiment", self.id()], 0)

        self.assertRegex(out, r"^MLflow: new run \w+, 24 values, 3 null left out: sqlite:///.*\n$")


def wandb_records(file):
    """The records of a .wandb file: LevelDB's log format behind seven bytes, each a protocol buffer."""
    data, at, record = file.read_bytes(), 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at:at + 7])
        record += data[at + 7:at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            found = wandb_internal_pb2.Record()
            found.ParseFromString(record)
            record = b""
            yield found


class WandbFile:
    """What a folder of W&B says of a run."""

    def __init__(self, folder):
        (file,) = pathlib.Path(folder).glob("*.wandb")
        self.history, self.axes, self.exit_code = [], {}, None
        for record in wandb_records(file):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.run = record.run
                self.config = {one.key: json.loads(one.value_json) for one in record.run.config.update}
            elif kind == "history":
                self.history.append({one.nested_key[0] if one.nested_key else one.key: json.loads(one.value_json)
                                     for one in record.history.item})
            elif kind == "metric":
                self.axes[record.metric.name] = record.metric.step_metric
            elif kind == "exit":
                self.exit_code = record.exit.exit_code

    def of(self, name):
        """(value on the x axis, value) of a figure."""
        return [(row[self.axes[name]], row[name]) for row in self.history if name in row]


def read_wandb(folder):
    """Another process writes the file, and may still do so."""
    until = time.monotonic() + PATIENCE
    while (found := WandbFile(folder)).exit_code is None and time.monotonic() < until:
        time.sleep(0.05)
    return found


@NEEDS_WANDB
class Wandb(TrackedRun):
    @classmethod
    def setUpClass(cls):
        """W&B reads its environment once a process."""
        super().setUpClass()
        cls.place = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="xkde_wandb_"))
        own = {name: cls.place for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "HOME")}
        cls.enterClassContext(mock.patch.dict(os.environ, WANDB_MODE="offline", WANDB_ERROR_REPORTING="false",
                                              WANDB_BASE_URL="http://127.0.0.1:9", NETRC=f"{cls.place}/netrc", **own))
        os.environ.pop("WANDB_API_KEY", None)

    def test_all_of_a_run_is_read_back(self):
        there = to_wandb(load_run(self.folder))

        found = read_wandb(there.place)
        self.assertEqual((found.run.run_id, found.run.project, found.run.display_name),
                         (id_of(load_run(self.folder)), "xkde_dist", "tiny"))
        self.assertEqual(set(found.run.tags), {"done", "0.1.0", "abc123"})
        self.assertEqual(found.run.git.commit, "abc123")
        self.assertEqual(found.config["sft"], dict(learning_rate=1e-5, lora=dict(r=8, target_modules=["all-linear"])))
        self.assertEqual(found.config["xkde"]["git_commit"], "abc123")
        self.assertEqual(found.of("02-sft/train/loss"), [(1, 4.0), (2, 2.0), (3, 4 / 3)])
        self.assertEqual(found.of("03-evaluate/reliability/en-es"), [(1, 50.0), (10, 60.0)])
        self.assertEqual([row["_step"] for row in found.history], list(range(len(found.history))))
        self.assertEqual([row["_timestamp"] - START for row in found.history if "02-sft/train/loss" in row], [13, 23, 33])
        self.assertEqual((there.left_out, found.exit_code), (3, 0))
        for value in (value for row in found.history for value in row.values()):
            self.assertTrue(math.isfinite(value))
        files = pathlib.Path(there.place) / "files"
        self.assertEqual(sorted(str(file.relative_to(files)) for file in files.rglob("*") if file.is_file()),
                         ["01-evaluate/results.json", "03-evaluate/results.json", "04-capability/results.json",
                          "report.html", "run.json"])
        self.assertFalse(os.path.samefile(files / "run.json", self.folder / "run.json"))

    def test_a_second_time_it_is_the_same_run_as_a_whole(self):
        self.write(exit_reason="error: no memory")
        write_lines(self.folder / "02-sft/metrics.jsonl", training(2))
        with self.assertWarnsRegex(IncompleteRunWarning, "error: no memory"):
            run = load_run(self.folder)
        first = to_wandb(run, project="mine")
        write_lines(self.folder / "02-sft/metrics.jsonl", training(3))
        self.write()

        second = to_wandb(load_run(self.folder), project="mine")

        self.assertEqual(first.id, second.id)
        self.assertNotEqual(first.place, second.place)
        self.assertEqual((read_wandb(first.place).exit_code, read_wandb(second.place).exit_code), (1, 0))
        self.assertEqual(read_wandb(second.place).of("02-sft/train/loss"), [(1, 4.0), (2, 2.0), (3, 4 / 3)])

    def test_names_that_it_refuses_and_no_account_are_69(self):
        self.assertRegex(self.told(["wandb", self.folder, "--project", "a/b"], 69),
                         r"^TrackerError: W&B, offline: Invalid project name[^\n]*\n$")
        self.assertRegex(self.told(["wandb", self.folder, "--mode", "online"], 69),
                         r"^TrackerError: W&B, online: No API key configured[^\n]*\n$")
        with self.assertRaisesRegex(ValueError, "mode: expected offline or online, found disabled"):
            to_wandb(load_run(self.folder), mode="disabled")

    def test_the_command_says_where_it_lies(self):
        out = self.told(["wandb", self.folder], 0)

        self.assertRegex(out, rf"^W&B: run {id_of(load_run(self.folder))}, 24 values, 3 null left out: "
                         rf"{self.place}/wandb/offline-run-\S+\n$")

    def test_online_only_rows_that_are_new_are_sent(self):
        """What W&B's server tells of a run that it knows is its next step."""
        there, rows = mock.Mock(resumed=True, step=6), list(Rows(load_run(self.folder)))

        add_rows(there, rows)

        self.assertEqual([call.kwargs["step"] for call in there.log.call_args_list], list(range(6, len(rows))))
        self.assertEqual(there.log.call_args_list[0].args[0]["02-sft/train/loss"], 4 / 3)


@NEEDS_MLFLOW
@NEEDS_WANDB
@unittest.skipIf(shutil.which("strace") is None, "strace is not installed")
class Network(TrackedRun):
    def test_nothing_is_asked_of_it(self):
        """Both packages report their use to their makers, also with local stores, if they are let."""
        plain = {key: value for key, value in os.environ.items()
                 if not key.startswith(("MLFLOW", "WANDB", "CI", "GITHUB", "GITLAB", "PYTEST", "DO_NOT_TRACK"))}
        path = os.pathsep.join([str(PYTHON), *filter(None, [os.environ.get("PYTHONPATH")])])
        code = ("import sys; from xkde_results.__main__ import main; "
                "sys.exit(main(['mlflow', sys.argv[1], '--uri', 'sqlite:///x.db']) or main(['wandb', sys.argv[1]]))")
        result = subprocess.run(["strace", "-f", "-qq", "-e", "trace=connect", "-o", self.root / "calls", sys.executable, "-B", "-c",
                                 code, self.folder], cwd=self.root, env=plain | dict(PYTHONPATH=path, HOME=str(self.root)),
                                capture_output=True, text=True)

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([line for line in (self.root / "calls").read_text().splitlines() if "AF_INET" in line], [])


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False).result.wasSuccessful() else 1)  # at its end W&B needs a code that is no bool
