#!/usr/bin/env python3
"""python/notebooks: stored without outputs, and every cell runs.

nbclient with ipykernel runs them in a kernel. Without it they run here, one after another. Skips itself without
pandas or matplotlib.
"""

import ast
import contextlib
import importlib
import io
import json
import os
import pathlib
import sys
import unittest
import warnings
from unittest import mock

from run_folders import METRICS, PYTHON, RunFoldersTest, prediction, scores, write_evaluation, write_run, write_training

NOTEBOOKS = sorted((PYTHON / "notebooks").glob("*.ipynb"))


def has(*modules):
    try:
        return all(map(importlib.import_module, modules))
    except ImportError:
        return False


def code_of(notebook):
    """Cells without the lines that only IPython knows."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield "\n".join(line for line in "".join(cell["source"]).splitlines() if not line.startswith("%"))


def run_here(notebook):
    """What cells display; the value of a last line that is an expression, too."""
    shown = []
    names = dict(display=shown.append)
    for source in code_of(notebook):
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)  # the notebook is ours
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            if value is not None:
                shown.append(value)
    return shown


class Notebook(RunFoldersTest):
    def setUp(self):
        super().setUp()
        for name, gain in (("one", 0.2), ("other", 0.4)):
            folder = self.root / name
            for place, (stage, level) in enumerate((("01-evaluate", 0.3), ("03-evaluate", 0.3 + gain))):
                lines = [prediction(record, score, metric, test=test, mode=mode, size=size)
                         for mode, size in (("batch", 1), ("batch", 10)) for metric in METRICS for test in ("es", "zh")
                         for record, score in enumerate(scores(30, level - size / 100, place))]
                write_evaluation(folder / stage, lines, half_width=4.0)
            write_training(folder / "02-sft")
            write_run(folder, {"01-evaluate": {}, "02-sft": {}, "03-evaluate": {}}, name=name)
        self.folders = os.pathsep.join(str(self.root / name) for name in ("one", "other"))

    def test_notebooks_are_stored_without_outputs_and_their_cells_are_python(self):
        self.assertTrue(NOTEBOOKS)
        for file in NOTEBOOKS:
            notebook = json.loads(file.read_text(encoding="utf-8"))
            self.assertEqual(notebook["nbformat"], 4)
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    self.assertEqual((cell["outputs"], cell["execution_count"]), ([], None), cell["id"])
            for source in code_of(notebook):
                ast.parse(source)

    @unittest.skipUnless(has("pandas", "matplotlib"), "pandas and matplotlib are not both installed")
    def test_every_cell_runs_and_shows_tables_and_figures(self):
        for file in NOTEBOOKS:
            for folders in (self.folders, str(self.root / "one")):
                with self.subTest(file=file.name, folders=folders):
                    with mock.patch.dict(os.environ, XKDE_RUNS=folders), \
                            contextlib.redirect_stdout(io.StringIO()):
                        shown = [type(one).__name__ for one in run_here(json.loads(file.read_text(encoding="utf-8")))]
                    self.assertEqual(shown, ["DataFrame", "Table", "Comparison", "DataFrame", *["Figure"] * 3,
                                             "DataFrame"])

    @unittest.skipUnless(has("pandas", "matplotlib", "nbclient", "ipykernel"),
                         "pandas, matplotlib, nbclient and ipykernel are not all installed")
    def test_every_cell_runs_in_a_kernel(self):
        import nbclient
        import nbformat

        own = {name: str(self.root / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR",
                                                        "IPYTHONDIR", "MPLCONFIGDIR")}
        path = os.pathsep.join(filter(None, [str(PYTHON), os.environ.get("PYTHONPATH")]))
        kernels = str(pathlib.Path(sys.prefix) / "share/jupyter")
        for file in NOTEBOOKS:
            notebook = nbformat.read(file, as_version=4)
            nbformat.validate(notebook)
            with mock.patch.dict(os.environ, XKDE_RUNS=self.folders, PYTHONPATH=path, JUPYTER_PATH=kernels,
                                 PYTHONDONTWRITEBYTECODE="1", **own):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of the libraries, not of ours
                    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3",
                                            resources=dict(metadata=dict(path=str(file.parent)))).execute()

            outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
            kinds = [kind for output in outputs for kind in output.get("data", {})]
            self.assertEqual(kinds.count("image/png"), 3)
            self.assertEqual(kinds.count("text/markdown"), 2)
            self.assertFalse([output for output in outputs if output.get("name") == "stderr"])


if __name__ == "__main__":
    unittest.main()
