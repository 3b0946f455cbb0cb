"""Results of xkde_dist in Python: reads runs, compares them, and makes tables and figures of them."""

from .bootstrap import PairedTest, holm, paired_test
from .compare import Comparison, Difference, RecipeDifference, compare, recipe_differences
from .errors import (DamagedFileError, DifferentQuestionsError, IncompleteRunWarning, NotARunError, ResultsError,
                     TrackerError, UnpairedQuestionsWarning)
from .figures import heat_map, metric_by_size, save, training_curve
from .frames import (cost_rows, costs_frame, differences_frame, metric_rows, metrics_frame, predictions_frame,
                     result_rows, results_frame)
from .mlflow_runs import to_mlflow
from .paper import paper_table
from .rows import PublishedValue, ResultRow
from .runs import Run, Stage, load_run, load_runs
from .tables import Cell, Table
from .tracked import HandedOver
from .wandb_runs import to_wandb

__all__ = ["Cell", "Comparison", "DamagedFileError", "Difference", "DifferentQuestionsError", "HandedOver",
           "IncompleteRunWarning", "NotARunError", "PairedTest", "PublishedValue", "RecipeDifference", "ResultRow",
           "ResultsError", "Run", "Stage", "Table", "TrackerError", "UnpairedQuestionsWarning", "compare", "cost_rows",
           "costs_frame", "differences_frame", "heat_map", "holm", "load_run", "load_runs", "metric_by_size",
           "metric_rows", "metrics_frame", "paired_test", "paper_table", "predictions_frame", "recipe_differences",
           "result_rows", "results_frame", "save", "to_mlflow", "to_wandb", "training_curve"]
