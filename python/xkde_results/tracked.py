"""What a tracker of experiments (MLflow, Weights & Biases) gets of a run: keys, figures, facts, small files, and a name.

Names are those that TensorBoard shows of the event files that `report_to: [tensorboard]` writes, with the stage's folder
before them: "02-sft/train/loss", "03-evaluate/reliability/en-es".
"""

import collections
import dataclasses
import datetime
import hashlib
import json

from .compare import recipe_keys
from .errors import DamagedFileError
from .files import is_of, shown, value_of

METRICS, RESULTS = "metrics.jsonl", "results.json"
DEV = "eval_"  # of figures of the dev set
PLACES = ("step", "total_steps", "chunk", "rank")  # of a line of metrics.jsonl; they are no figures
SECONDS = ("step_seconds", "seconds")  # what a line took
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclasses.dataclass(frozen=True)
class Row:
    """Figures of one moment: a line of metrics.jsonl, or the rows of results.json of one size."""

    file: str  # "02-sft/metrics.jsonl"
    number: int  # among the rows of its file, from 1
    step: int  # a step of training, a chunk, or how many edits were asked
    time: float  # seconds since 1970
    values: dict[str, float]


@dataclasses.dataclass(frozen=True)
class HandedOver:
    """What a tracker got."""

    tracker: str  # "MLflow"
    id: str  # of the run there
    place: str  # where it lies
    is_new: bool | None  # whether the tracker did not know the run before; None where it was not asked
    values: int  # that were sent now
    left_out: int  # figures that are null: results without a question, what was not finite
    changed: tuple[str, ...] = ()  # keys of the recipe that the tracker keeps with another value

    def __str__(self):
        how = {None: "run", True: "new run", False: "goes on with run"}[self.is_new]
        text = f"{self.tracker}: {how} {self.id}, {self.values} values"
        if self.left_out:
            text += f", {self.left_out} null left out"
        if self.changed:
            text += f", {len(self.changed)} keys keep their first values: {', '.join(self.changed)}"
        return f"{text}: {self.place}"


def time_of(run, key):
    """A time of run.json in seconds since 1970; None where it has none yet."""
    file = run.folder / "run.json"
    text = value_of(run.record, key, str, file, "", default=None)
    if text is None:
        return None
    try:
        return datetime.datetime.strptime(text, TIME).replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        raise DamagedFileError(file, key, "a time such as 2026-01-31T12:00:00Z", shown(text)) from None


def start_of(run):
    """When the run was first started, in seconds since 1970. It stays when the run goes on later."""
    first = time_of(run, "first_start")
    start = time_of(run, "start") if first is None else first
    if start is None:
        raise DamagedFileError(run.folder / "run.json", "start", "a time", "nothing")
    return start


def id_of(run):
    """16 letters and digits that a run keeps when it goes on, or when its folder is moved. `--fresh` begins another."""
    text = json.dumps([run.record.get(key) for key in ("run_name", "first_start")] + [run.recipe.get("output_dir")])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parameters(run):
    """The recipe as resolved, flat, by the paths of its keys: "sft.learning_rate". A second stage is "sft_2"."""
    return {key.replace("[", "_").replace("]", ""): value for key, value in recipe_keys(run).items()}


def facts(run):
    """What run.json says beside the recipe."""
    versions = run.record.get("versions")
    version = versions.get("xkde_dist") if isinstance(versions, dict) else None
    found = dict(run_name=run.name, exit_reason=run.exit_reason, version=version)
    found |= {key: run.record.get(key) for key in ("git_commit", "ranks", "backend", "first_start", "start", "end")}
    return {key: str(value) for key, value in found.items() if value not in (None, "")}


def small_files(run):
    """Paths within the run's folder: reports and results. No weights and no checkpoints."""
    names = ["run.json", "report.html", *(f"{stage.name}/{RESULTS}" for stage in run.stages)]
    return [name for name in names if (run.folder / name).is_file()]


def metric_name(stage, line, key):
    if "step" not in line:
        return f"{stage.name}/chunk/{key}"
    return f"{stage.name}/eval/{key.removeprefix(DEV)}" if key.startswith(DEV) else f"{stage.name}/train/{key}"


def result_name(stage, row):
    if row.asks_edits:
        return f"{stage.name}/{row.metric}/{row.edit_language}-{row.test_language}"
    return "/".join(filter(None, (stage.name, row.benchmark, row.metric, row.test_language)))


class Rows:
    """Iterates over the Rows of a run in the order of its work, and counts the figures that are null.

    A run that goes on adds rows to the end of each file only. The files have no clock: the time of a row is that of the
    run's first start and the seconds that the lines before it took, of each rank by itself. Waiting between two starts is
    not in it. So the same row has the same time whenever it is asked for.
    """

    def __init__(self, run):
        self.run = run
        self.left_out = 0
        self.now = start_of(run)

    def __iter__(self):
        for stage in self.run.stages:
            yield from self.of_metrics(stage)
            yield from self.of_results(stage)

    def of_metrics(self, stage):
        clocks = collections.defaultdict(lambda start=self.now: start)
        file = stage.folder / METRICS
        for number, line in enumerate(stage.metrics, 1):
            place = f"line {number}"
            step = value_of(line, "step" if "step" in line else "chunk", int, file, place)
            rank = line.get("rank")
            clocks[rank] += sum(line[key] for key in SECONDS if is_of(line.get(key), float))
            self.now = max(self.now, clocks[rank])
            figures = {key: value for key, value in line.items() if key not in PLACES}
            self.left_out += sum(value is None for value in figures.values())
            yield Row(f"{stage.name}/{METRICS}", number, step, clocks[rank],
                      {metric_name(stage, line, key): value for key, value in figures.items() if is_of(value, float)})

    def of_results(self, stage):
        by_size = collections.defaultdict(dict)
        for row in stage.results:
            if row.seed is not None:  # as in tables, the mean over seeds stands for them
                continue
            if row.value is None:
                self.left_out += 1
            else:
                by_size[row.size][result_name(stage, row)] = row.value
        for number, (size, values) in enumerate(sorted(by_size.items()), 1):
            yield Row(f"{stage.name}/{RESULTS}", number, size, self.now, values)


def clipped(text, most):
    """A text of at most `most` characters; where something is cut, an ellipsis ends it."""
    return text if len(text) <= most else text[:most - 1] + "…"
