"""Hands runs to MLflow."""

import json
import os
import re

from .errors import TrackerError, needed
from .tracked import HandedOver, Rows, clipped, facts, id_of, parameters, small_files, start_of, time_of

EXPERIMENT = "xkde_dist"
ID_TAG = "xkde.run"
SENT_TAG = "xkde.sent."  # and a file: how many of its rows MLflow has
# MLflow's limits of one call and of lengths (mlflow/utils/validation.py). Tags count among a call's 1,000 things.
MOST_METRICS, MOST_TAGS, MOST_PARAMETERS = 900, 100, 100
LONGEST_NAME, LONGEST_PARAMETER, LONGEST_TAG = 250, 6000, 5000
FORBIDDEN = re.compile(r"[^/\w.\- :]")  # in names
STATUS = {"done": "FINISHED", "running": "RUNNING", "interrupted": "KILLED", "stopped on request": "KILLED"}


def milliseconds(seconds):
    return round(1000 * seconds)


def name_of(text):
    """A name as MLflow takes it: what it forbids is an underscore."""
    return clipped(FORBIDDEN.sub("_", text), LONGEST_NAME).replace("…", "_")


def text_of(value):
    """A value of the recipe: texts as they are, all else as JSON."""
    return clipped(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), LONGEST_PARAMETER)


def without_password(text):
    """Of addresses such as http://name:password@host the host alone."""
    return re.sub(r"//[^/@\s]*@", "//", text)


class MlflowRun:
    """The run in MLflow that belongs to a run's folder; it is made where there is none."""

    def __init__(self, mlflow, run, uri, experiment):
        self.entities = mlflow.entities
        self.client = mlflow.MlflowClient(tracking_uri=uri)
        known = self.client.get_experiment_by_name(experiment)
        self.experiment = known.experiment_id if known else self.client.create_experiment(experiment)
        found = self.client.search_runs([self.experiment], f"tags.`{ID_TAG}` = '{id_of(run)}'", max_results=1)
        self.is_new = not found
        self.data = self.client.create_run(self.experiment, start_time=milliseconds(start_of(run)), run_name=run.name,
                                           tags={ID_TAG: id_of(run)}) if self.is_new else found[0]
        self.id = self.data.info.run_id

    def set_tags(self, run):
        tags = {f"xkde.{key}": value for key, value in facts(run).items()}
        tags |= {"mlflow.source.name": "xkde_dist", "mlflow.source.type": "JOB"}
        if "xkde.git_commit" in tags:
            tags["mlflow.source.git.commit"] = tags["xkde.git_commit"]
        self.client.log_batch(self.id, tags=[self.entities.RunTag(key, clipped(value, LONGEST_TAG))
                                             for key, value in tags.items()])

    def add_parameters(self, run):
        """Those that MLflow does not have. It never changes one; the names of those that are others now are returned."""
        mine = {name_of(key): text_of(value) for key, value in parameters(run).items()}
        theirs = self.data.data.params
        new = [self.entities.Param(key, value) for key, value in mine.items() if key not in theirs]
        for first in range(0, len(new), MOST_PARAMETERS):
            self.client.log_batch(self.id, params=new[first:first + MOST_PARAMETERS])
        return tuple(key for key, value in mine.items() if theirs.get(key, value) != value)

    def add_rows(self, rows):
        """Those that MLflow does not have yet, which its tags tell; how many values were sent."""
        sent = {key.removeprefix(SENT_TAG): int(value) for key, value in self.data.data.tags.items()
                if key.startswith(SENT_TAG)}
        metrics, reached, count = [], {}, 0

        def flush():
            tags = [self.entities.RunTag(SENT_TAG + file, str(number)) for file, number in reached.items()]
            if metrics or tags:
                self.client.log_batch(self.id, metrics=metrics, tags=tags)
            metrics.clear()
            reached.clear()

        for row in rows:
            if row.number <= sent.get(name_of(row.file), 0):
                continue
            for name, value in row.values.items():
                if len(metrics) == MOST_METRICS:
                    flush()
                metrics.append(self.entities.Metric(name_of(name), value, milliseconds(row.time), row.step))
            count += len(row.values)
            reached[name_of(row.file)] = row.number
            if len(reached) == MOST_TAGS:
                flush()
        flush()
        return count

    def add_files(self, run):
        for name in small_files(run):
            folder = name.rpartition("/")[0]
            self.client.log_artifact(self.id, str(run.folder / name), folder or None)

    def end(self, run, last):
        """`last`: the time of the last row, where run.json has no end."""
        status = STATUS.get(run.exit_reason, "FAILED")
        if status == "RUNNING":
            self.client.update_run(self.id, status=status)
        else:
            self.client.set_terminated(self.id, status, milliseconds(time_of(run, "end") or last))


def to_mlflow(run, uri=None, experiment=None):
    """Hands a run to MLflow, as far as it is there: the keys of its recipe as parameters, the lines of each metrics.jsonl
    and the rows of each results.json as metrics, facts of run.json as tags, and reports and results as artifacts.

    `uri`: of the tracking server or store; MLFLOW_TRACKING_URI, or MLflow's default, where none is given. `experiment`:
    its name, which is made where it is not there; MLFLOW_EXPERIMENT_NAME, or "xkde_dist", where none is given.

    Called again for the same run it goes on with the same run of MLflow, which the tag "xkde.run" tells, and adds the rows
    that are new. A row that was handed over stays as it was: when a run was killed and went on from a checkpoint, the few
    lines that were written once more are not sent again. MLflow never changes a parameter; `HandedOver.changed` names
    those that have another value now. Figures that are null are left out and counted (`HandedOver.left_out`); the program
    writes null for what is not finite, so there is no NaN. Values of the recipe are cut to 6,000 characters.

    MLflow reports its own use to its makers, also with a local store. That is off here unless MLFLOW_DISABLE_TELEMETRY
    says otherwise.

    Returns a HandedOver. Raises ImportError without MLflow, TrackerError where it cannot be reached or refuses.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = needed("mlflow", "mlflow")
    experiment = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    place = uri or mlflow.get_tracking_uri()
    rows = Rows(run)
    try:
        there = MlflowRun(mlflow, run, uri, experiment)
        changed = there.add_parameters(run)
        there.set_tags(run)
        count = there.add_rows(rows)
        there.add_files(run)
        there.end(run, rows.now)
    except (mlflow.MlflowException, OSError) as error:
        text = " ".join(str(error).split())
        raise TrackerError(without_password(f"MLflow at {place}: {text}")) from error
    if place.startswith("http"):
        place = f"{place.rstrip('/')}/#/experiments/{there.experiment}/runs/{there.id}"
    return HandedOver("MLflow", there.id, without_password(place), there.is_new, count, rows.left_out, changed)
