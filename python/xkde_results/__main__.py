"""Hands runs to trackers of experiments: python -m xkde_results mlflow|wandb RUN [RUN ...]"""

import argparse
import os
import sys
import warnings

from .errors import DamagedFileError, NotARunError, TrackerError
from .mlflow_runs import to_mlflow
from .runs import load_run
from .wandb_runs import PROJECT, to_wandb

USAGE, DATA, NO_INPUT, UNAVAILABLE, IO = 64, 65, 66, 69, 74  # as the program's, docs/troubleshooting.md
CODES = {DamagedFileError: DATA, NotARunError: NO_INPUT, ImportError: UNAVAILABLE, TrackerError: UNAVAILABLE, OSError: IO}


class Parser(argparse.ArgumentParser):
    def error(self, message):
        print(f"UsageError: {message} (see python -m xkde_results --help)", file=sys.stderr)
        sys.exit(USAGE)


def parser():
    every = Parser(prog="python -m xkde_results", description="Hands runs of xkde_dist to a tracker of experiments.")
    trackers = every.add_subparsers(dest="tracker", required=True, metavar="mlflow|wandb")
    mlflow = trackers.add_parser("mlflow", help="to MLflow", description="Hands runs to MLflow. Called again, it adds "
                                 "what is new to the same run.")
    mlflow.add_argument("--uri", help="of the tracking server or store; else MLFLOW_TRACKING_URI, or MLflow's default")
    mlflow.add_argument("--experiment", metavar="NAME", help="else MLFLOW_EXPERIMENT_NAME, or xkde_dist")
    wandb = trackers.add_parser("wandb", help="to Weights & Biases", description="Hands runs to Weights & Biases. Called "
                                "again, it goes on with the same run.")
    wandb.add_argument("--project", metavar="NAME", default=PROJECT, help=f"{PROJECT} if left out")
    wandb.add_argument("--mode", choices=("offline", "online"), default="offline",
                       help="offline, the default, writes a folder for `wandb sync` and sends nothing")
    for one in (mlflow, wandb):
        one.add_argument("runs", nargs="+", metavar="RUN", help="the folder of a run")
    return every


def loaded(folder):
    """A run; what of it is missing is said in a line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = load_run(folder)
    for one in caught:
        print(f"warning: {one.message}", file=sys.stderr)
    return run


def hand_over(arguments):
    if arguments.tracker == "mlflow":
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7 are minutes, for an address that is mistyped
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # the line below has it
    for run in [loaded(folder) for folder in arguments.runs]:
        if arguments.tracker == "mlflow":
            print(to_mlflow(run, arguments.uri, arguments.experiment), flush=True)
        else:
            print(to_wandb(run, arguments.project, arguments.mode), flush=True)


def main(words=None):
    """Returns an exit code."""
    arguments = parser().parse_args(words)
    try:
        hand_over(arguments)
    except tuple(CODES) as error:
        code = next(code for kind, code in CODES.items() if isinstance(error, kind))
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
