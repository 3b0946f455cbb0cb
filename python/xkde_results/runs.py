"""Reads the folder of a run: the stages that run.json names, as far as they are there."""

import dataclasses
import pathlib
import re
import warnings

from .errors import DamagedFileError, IncompleteRunWarning, NotARunError
from .files import is_of, json_lines, read_json, shown, value_of
from .rows import ResultRow, parse_row

STAGE_NAME = re.compile(r"\d{2,}-([^/]*)")
# What a complete stage of a kind has left, of what this package reads.
FILES = {"build_data": ("statistics.json",),
         "sft": ("metrics.jsonl",),
         "sample": ("samples.jsonl", "metrics.jsonl", "statistics.json"),
         "rank": ("pairs.jsonl", "metrics.jsonl", "statistics.json"),
         "orpo": ("metrics.jsonl", "statistics.json"),
         "evaluate": ("results.json", "predictions.jsonl", "answers.jsonl", "metrics.jsonl", "cost.json",
                      "statistics.json"),
         "capability": ("results.json", "predictions.jsonl", "likelihoods.jsonl", "metrics.jsonl",
                        "statistics.json"),
         "edit": ("edits.jsonl", "statistics.json")}
TRAININGS = {"sft": "XE-IT", "orpo": "TL-PO"}  # by the paper's names
EDITS = "edits by "
EDIT_PREDICTION = dict(record=int, mode=str, size=int, edit_language=str, test_language=str, metric=str, probe=int,
                       prompt=str, target_ids=list, predicted_ids=list, score=float)
CAPABILITY_PREDICTION = dict(benchmark=str, mode=str, language=str)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a run, and what its folder has."""

    run_name: str
    name: str  # of its folder: "02-sft"
    kind: str  # "sft"
    folder: pathlib.Path
    keys: dict  # of the recipe, as resolved
    label: str  # of an evaluation: "before training", "XE-IT + TL-PO", with the method if it is not xkde
    is_complete: bool
    results: list[ResultRow]
    metrics: list[dict]  # an object a training step, or a chunk
    cost: dict | None
    statistics: dict | None
    data_digests: dict = dataclasses.field(default_factory=dict, repr=False)  # SHA-256 of inputs of the run, by path

    @property
    def asks_edits(self):
        return bool(self.results) and self.results[0].asks_edits

    @property
    def title(self):
        return f"{self.run_name}, {self.name} ({self.label})" if self.label else f"{self.run_name}, {self.name}"

    def has(self, name):
        return (self.folder / name).is_file()

    def lines(self, name):
        """The objects of a file of JSON lines in the stage's folder, one by one: "edits.jsonl", "pairs.jsonl"."""
        for _, line in json_lines(self.folder / name, not self.is_complete):
            yield line

    def predictions(self):
        """The lines of predictions.jsonl, one by one, as dicts with the keys of docs/protocol.md 1.7."""
        for _, line in self.numbered_predictions():
            yield line

    def numbered_predictions(self):
        file = self.folder / "predictions.jsonl"
        fields = CAPABILITY_PREDICTION if self.kind == "capability" else EDIT_PREDICTION
        for number, line in json_lines(file, not self.is_complete):
            for key, kind in fields.items():
                value_of(line, key, kind, file, f"line {number}")
            yield number, line

    def answers(self):
        """The lines of answers.jsonl: what the model said to each distinct prompt."""
        return self.lines("answers.jsonl")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's folder."""

    folder: pathlib.Path
    name: str
    record: dict  # all of run.json
    exit_reason: str
    stages: list[Stage]  # those that run.json names and whose folder is there, in the order of the recipe
    missing: list[str]  # what of a finished run is not there

    @property
    def recipe(self):
        return self.record.get("recipe") or {}

    @property
    def is_finished(self):
        return self.exit_reason == "done"

    @property
    def evaluations(self):
        """Stages that have results."""
        return [stage for stage in self.stages if stage.results]

    @property
    def trainings(self):
        return [stage for stage in self.stages if stage.kind in TRAININGS]

    def __getitem__(self, name):
        """The stage of a folder's name."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f"{self.folder}: no stage {name}; there are {', '.join(stage.name for stage in self.stages)}")

    def of_kind(self, kind):
        return [stage for stage in self.stages if stage.kind == kind]


def stage_names(record, file):
    """The folders of the stages. An earlier version of the program wrote no list: they had the recipe's numbers."""
    recipe = value_of(record, "recipe", dict, file, "", default={})
    listed = value_of(recipe, "stages", list, file, "recipe", default=[])
    for one in listed:
        if not isinstance(one, dict) or len(one) != 1:
            raise DamagedFileError(file, "recipe.stages", "a stage with its keys", shown(one))
    names = value_of(record, "stages", list, file, "",
                     default=[f"{number:02}-{next(iter(one))}" for number, one in enumerate(listed, 1)])
    for name in names:
        if not is_of(name, str) or not STAGE_NAME.fullmatch(name):
            raise DamagedFileError(file, "stages", "names such as 01-sft", shown(name))
    keys = [next(iter(one.values())) for one in listed]
    keys += [{}] * (len(names) - len(keys))
    return [(name, of_stage if isinstance(of_stage, dict) else {}) for name, of_stage in zip(names, keys)]


class Weights:
    """What the stages so far did to the weights, as the program's own reports name it."""

    def __init__(self):
        self.changed = []

    def add(self, kind, keys):
        if kind in TRAININGS:
            self.changed.append(TRAININGS[kind])
        elif kind == "quantize" and isinstance(keys.get("type"), str):
            self.changed.append(keys["type"])
        elif kind == "edit" and isinstance(keys.get("method"), str):
            self.changed.append(EDITS + keys["method"])
        elif kind == "edit":  # it takes back the edits above that no training has made part of the weights
            while self.changed and self.changed[-1].startswith(EDITS):
                self.changed.pop()

    def label(self, rows):
        label = " + ".join(self.changed) or "before training"
        if rows and rows[0].asks_edits and rows[0].method != "xkde":
            label += ", " + rows[0].method
        return label


def object_if_there(file):
    return read_json(file, dict) if file.is_file() else None


def read_results(file):
    if not file.is_file():
        return []
    return [parse_row(item, file, f"row {index}") for index, item in enumerate(read_json(file, list))]


def read_metrics(folder, is_complete, missing):
    file = folder / "metrics.jsonl"
    if not file.is_file():
        return []
    torn = f"{folder.name}/metrics.jsonl from "
    return [line for _, line in json_lines(file, not is_complete, lambda place: missing.append(torn + place))]


def read_stage(run_name, folder, keys, weights, missing, digests):
    kind = STAGE_NAME.fullmatch(folder.name).group(1)
    weights.add(kind, keys)
    is_complete = (folder / "DONE").is_file()
    expected = ("DONE", *FILES.get(kind, ()))
    missing += [f"{folder.name}/{name}" for name in expected if not (folder / name).is_file()]
    has_results = kind in ("evaluate", "capability")
    results = read_results(folder / "results.json") if has_results else []
    return Stage(run_name=run_name, name=folder.name, kind=kind, folder=folder, keys=keys,
                 label=weights.label(results) if has_results else "", is_complete=is_complete, results=results,
                 metrics=read_metrics(folder, is_complete, missing), cost=object_if_there(folder / "cost.json"),
                 statistics=object_if_there(folder / "statistics.json"), data_digests=digests)


def load_run(folder):
    """Reads a run, also one that was stopped, killed or in part deleted.

    Warns (IncompleteRunWarning) of what is missing, which `Run.missing` lists. Raises NotARunError where there is no
    run.json, DamagedFileError where a file is not what the program writes.
    """
    return read_run(folder, 3)


def read_run(folder, stacklevel):
    folder = pathlib.Path(folder).expanduser()
    file = folder / "run.json"
    if not file.is_file():
        raise NotARunError(f"{folder}: expected the folder of a run, found no run.json in it")
    record = read_json(file, dict)
    name = value_of(record, "run_name", str, file, "", default="") or folder.resolve().name
    reason = value_of(record, "exit_reason", str, file, "", default="")
    digests = value_of(record, "inputs", dict, file, "", default={})
    stages, missing, weights = [], [], Weights()
    for stage, keys in stage_names(record, file):
        if (folder / stage).is_dir():
            stages.append(read_stage(name, folder / stage, keys, weights, missing, digests))
        else:
            missing.append(stage)
    if missing or reason != "done":
        lack = "missing: " + ", ".join(missing) if missing else "nothing is missing"
        warnings.warn(f"{folder}: read as far as it is there (exit reason: {reason or 'none'}); {lack}",
                      IncompleteRunWarning, stacklevel)
    return Run(folder, name, record, reason, stages, missing)


def load_runs(*folders):
    """Reads several runs. Those of one name get their folders behind it."""
    runs = [read_run(folder, 3) for folder in folders]
    names = [run.name for run in runs]
    return [renamed(run, f"{run.name} ({run.folder})") if names.count(run.name) > 1 else run for run in runs]


def renamed(run, name):
    stages = [dataclasses.replace(stage, run_name=name) for stage in run.stages]
    return dataclasses.replace(run, name=name, stages=stages)


def runs_of(runs):
    """The runs of an argument that is one run or several."""
    return [runs] if isinstance(runs, Run) else list(runs)


def evaluations_of(of):
    """The evaluations of an argument that is a run, a stage, or several of either."""
    if isinstance(of, Stage):
        return [of]
    if isinstance(of, Run):
        return of.evaluations
    return [stage for one in of for stage in evaluations_of(one)]
