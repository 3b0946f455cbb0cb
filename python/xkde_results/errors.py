"""What goes wrong with the files of a run, and what a missing library is told with."""

import importlib


class ResultsError(Exception):
    """Any error of this package that is about results."""


class NotARunError(ResultsError, FileNotFoundError):
    """A folder that no run wrote."""

    def __str__(self):
        return self.args[0]


class DamagedFileError(ResultsError, ValueError):
    """A file that is not what the program writes: `file`, `place` in it, what was `expected` and `found`."""

    def __init__(self, file, place, expected, found):
        self.file, self.place, self.expected, self.found = str(file), place, expected, found
        where = f"{file}: {place}" if place else str(file)
        super().__init__(f"{where}: expected {expected}, found {found}")


class DifferentQuestionsError(ResultsError, ValueError):
    """Two evaluations that do not ask the same."""


class TrackerError(ResultsError):
    """A tracker of experiments that cannot be reached, or that refuses what it gets."""


class IncompleteRunWarning(UserWarning):
    """A run without some of its files."""


class UnpairedQuestionsWarning(UserWarning):
    """Questions that one of two evaluations alone asked."""


def needed(module, extra):
    """Imports a library that this package does without elsewhere; `extra` is the one of pyproject.toml that has it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.split(".")[0]
        if error.name is None or error.name.split(".")[0] != library:
            raise
        raise ImportError(f"{library} is needed for this and is not installed: "
                          f"pip install {library}, or xkde-results[{extra}]", name=library) from None
