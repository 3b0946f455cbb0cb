"""Rows as plain dicts, and as DataFrames where pandas is installed."""

from .errors import needed
from .runs import evaluations_of, runs_of

PANDAS = "pandas"


def result_rows(of):
    """A dict for each row of each evaluation: run, stage, evaluation and the fields of ResultRow."""
    return [dict(run=stage.run_name, stage=stage.name, evaluation=stage.label) | row.as_dict()
            for stage in evaluations_of(of) for row in stage.results]


def metric_rows(runs):
    """A dict for each line of each training's metrics.jsonl: run, stage and what the line has."""
    return [dict(run=run.name, stage=stage.name) | line
            for run in runs_of(runs) for stage in run.trainings for line in stage.metrics]


def cost_rows(of):
    """A dict for each evaluation that says what it took: run, stage, evaluation and the numbers of cost.json.

    Sums by kind of answer have names such as "answers.prompts.tokens".
    """
    rows = []
    for stage in evaluations_of(of):
        if stage.cost is not None:
            row = dict(run=stage.run_name, stage=stage.name, evaluation=stage.label)
            for key, value in stage.cost.items():
                if key == "answers" and isinstance(value, dict):
                    row |= {f"answers.{kind}.{name}": one for kind, sums in value.items() for name, one in sums.items()}
                else:
                    row[key] = value
            rows.append(row)
    return rows


def frame(rows):
    return needed("pandas", PANDAS).DataFrame(rows)


def results_frame(of):
    """result_rows() as a DataFrame. `published` is text: "99.93*"."""
    rows = result_rows(of)
    for row in rows:
        row["published"] = ", ".join(f"{one['value']:g}" + "*" * one["mark"].endswith("*") for one in row["published"])
    return frame(rows)


def metrics_frame(runs):
    return frame(metric_rows(runs))


def costs_frame(of):
    return frame(cost_rows(of))


def predictions_frame(stage):
    """The lines of a stage's predictions.jsonl. What is nested gets names such as "free.chat.exact"."""
    return needed("pandas", PANDAS).json_normalize(list(stage.predictions()))


def differences_frame(comparison):
    """The differences of compare()."""
    fields = [vars(one) | dict(pair=one.pair, is_significant=one.is_significant) for one in comparison.differences]
    return frame(fields)
